// Asks the browser for a passkey, fills its answer into the form, and sends it.

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const problem = form.querySelector("[role=alert]");
    problem.hidden = true;
    try {
      const credential = await ask(form.dataset.passkey, JSON.parse(form.dataset.options));
      form.elements.credential.value = JSON.stringify(credential.toJSON());
      form.submit();
    } catch (error) {
      problem.textContent = explain(error);
      problem.hidden = false;
    }
  });
}

function ask(purpose, options) {
  if (purpose === "create") {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
    return navigator.credentials.create({ publicKey });
  }
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return navigator.credentials.get({ publicKey });
}

function explain(error) {
  switch (error.name) {
    case "InvalidStateError":
      return "This device already has a passkey for your account.";
    case "NotAllowedError":
      return "Your browser found no passkey, or you canceled. Try again.";
    default:
      return "Your browser cannot use passkeys here.";
  }
}

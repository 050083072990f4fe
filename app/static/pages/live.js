// Shows each new version of a part of a page, which the service sends while the tab is seen.

for (const part of document.querySelectorAll("[data-live]")) {
  let waiting = null;

  const show = (html) => {
    // Text that is being selected must not vanish under the pointer.
    waiting = isSelected(part) ? html : null;
    if (waiting === null) replace(part, html);
  };

  document.addEventListener("selectionchange", () => {
    if (waiting !== null) show(waiting);
  });
  whileSeen(part.dataset.live, show);
}

// A list of jobs stays as it is under the pointer. Where it has changed, the page offers the new one.
for (const offer of document.querySelectorAll("[data-offer]")) {
  const shown = offer.querySelector("[data-version]").dataset.version;
  whileSeen(offer.dataset.offer, (html) => {
    offer.hidden = html.includes(`data-version="${shown}"`);
  });
}

// A browser opens few connections to one address: tabs that are not seen give theirs back.
function whileSeen(address, show) {
  let source = null;

  const listen = () => {
    source ??= new EventSource(address);
    source.onmessage = ({ data }) => show(data);
  };
  const stop = () => {
    source?.close();
    source = null;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : listen()));
  addEventListener("pagehide", stop);
  addEventListener("pageshow", () => document.hidden || listen());
}

function isSelected(part) {
  const selection = getSelection();
  return !selection.isCollapsed && part.contains(selection.anchorNode);
}

function replace(part, html) {
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const address = focused?.getAttribute("href");
  const closed = [...part.querySelectorAll("details:not([open]) > summary")].map((e) => e.textContent);
  part.innerHTML = html;
  if (address) part.querySelector(`[href="${CSS.escape(address)}"]`)?.focus({ preventScroll: true });
  for (const summary of part.querySelectorAll("details > summary")) {
    if (closed.includes(summary.textContent)) summary.parentElement.open = false;
  }
}

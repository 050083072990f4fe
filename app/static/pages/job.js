// Shows the progress of a job while it runs, and loads the page again when the job has ended.

const AGAIN = 5000; // milliseconds

for (const element of document.querySelectorAll("[data-job-events]")) {
  const source = new EventSource(element.dataset.jobEvents);
  source.addEventListener("message", (event) => show(JSON.parse(event.data)));
  source.addEventListener("gone", reload);
  source.addEventListener("error", () => {
    // The browser connects again by itself, unless the service has refused the stream.
    if (source.readyState === EventSource.CLOSED) setTimeout(reload, AGAIN);
  });
  addEventListener("pagehide", () => source.close());

  function show(job) {
    if (job.finished_at) {
      reload();
      return;
    }
    element.querySelector("progress").value = job.progress ?? 0;
    element.querySelector("[role=status]").textContent = describe(job);
  }

  function reload() {
    source.close();
    location.reload();
  }
}

function describe(job) {
  if (job.progress_message) return job.progress_message;
  return job.state === "running" ? "It has started." : "It is waiting for its turn.";
}

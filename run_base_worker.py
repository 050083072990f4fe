from app.core.worker import run
from app.core.worker.base_settings import WorkerSettings

if __name__ == "__main__":
    run(WorkerSettings)

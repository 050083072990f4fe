from app.core.queue import EMAIL
from app.core.worker.settings import worker_settings
from app.workers import jobs

WorkerSettings = worker_settings(
    EMAIL,
    handlers=[
        jobs.send_welcome_email,
        jobs.send_new_account,
        jobs.send_account_exists,
        jobs.send_email_verification,
        jobs.send_password_recovery,
        jobs.send_password_changed,
        jobs.send_second_factor_changed,
        jobs.send_identity_linked,
        jobs.send_email_change,
        jobs.send_email_change_notice,
        jobs.send_test_email,
    ],
)

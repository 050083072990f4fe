"""Signs a user up, waits for one of the jobs of that to end, and prints it as JSON.

`python -m tests.sign_up DrawAvatar`, from the folder of whichever project is meant.
"""

import asyncio
import sys
from uuid import UUID

from app.core.config import load_settings
from app.core.job_record import JobRecord, JobState
from app.core.job_store import find_job
from app.core.queue import QueuePools
from app.core.resources import open_resources
from app.schemas.job import JobStatus
from app.schemas.user import UserRegister
from app.services.audit import Caller
from app.services.signup_service import SignupService

ENDS = {JobState.SUCCEEDED, JobState.FAILED}


async def main(job_name: str) -> None:
    async with open_resources(load_settings()) as resources:
        async with resources.unit_of_work() as uow:
            ada = {"email": "ada@example.com", "password": "correct horse", "full_name": "Ada"}
            signups = SignupService(uow, resources, Caller("127.0.0.1"))
            await signups.sign_up(UserRegister.model_validate(ada))
        [job_id] = [job.id for job, _ in uow.jobs if job.name == job_name]
        async with asyncio.timeout(20):
            record = await end_of(job_id, resources.queues)
    sys.stdout.write(JobStatus.model_validate(record).model_dump_json() + "\n")


async def end_of(job_id: UUID, queues: QueuePools) -> JobRecord:
    while (record := await find_job(queues, job_id)) is None or record.state not in ENDS:
        await asyncio.sleep(0.02)
    return record


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

"""Sign up a user, wait until one of the jobs has ended, and print the job as JSON.

`python -m tests.support.sign_up DrawAvatar`, from the folder of the project.
"""

import asyncio
import sys
from uuid import UUID

from app.core.config import load_settings
from app.core.control import find_job
from app.core.job_store.record import JobRecord, JobState
from app.core.resources import Resources, open_resources
from app.schemas.job import JobStatus
from app.schemas.user import UserRegister
from app.services.scope import RequestInfo, open_scope
from app.services.signup_service import SignupService
from tests.support.waiting import stall_limit

ENDS = {JobState.SUCCEEDED, JobState.FAILED}


async def main(job_name: str) -> None:
    async with open_resources(load_settings()) as resources:
        async with open_scope(resources, RequestInfo("127.0.0.1")) as scope:
            ada = {"email": "ada@example.com", "password": "correct horse", "full_name": "Ada"}
            await SignupService(scope).sign_up(UserRegister.model_validate(ada))
        [job_id] = [job.id for job in scope.uow.jobs if job.name == job_name]
        async with stall_limit(f"the end of {job_name}"):
            record = await end_of(job_id, resources)
    sys.stdout.write(JobStatus.model_validate(record).model_dump_json() + "\n")


async def end_of(job_id: UUID, resources: Resources) -> JobRecord:
    while True:
        async with resources.sessions() as session:
            record = await find_job(session, resources.queues, job_id)
        if record.state in ENDS:
            return record
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

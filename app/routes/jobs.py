from uuid import UUID

from fastapi import APIRouter

from app.core.job_record import JobRecord
from app.routes.deps import PersonOrProgram, Queues, Uow
from app.schemas.job import JobStatus
from app.services.job_service import JobService

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.get("/{job_id}", response_model=JobStatus)
async def read_job(uow: Uow, queues: Queues, principal: PersonOrProgram, job_id: UUID) -> JobRecord:
    """Tell how a job that one asked for stands; `progress` is a fraction from 0 to 1."""
    return await JobService(uow, queues).get(job_id, principal)

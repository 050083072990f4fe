from app.core.gc import tune_garbage_collection
from app.core.setup import create_application

app = create_application()
tune_garbage_collection()

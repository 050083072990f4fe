from app.core.memory import freeze_imports
from app.core.setup import create_application

app = create_application()
freeze_imports()

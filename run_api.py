from app.core.http.server import run
from main import app

if __name__ == "__main__":
    run(app)

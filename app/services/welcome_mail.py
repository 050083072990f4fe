from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from app.core.config import Settings
from app.core.mailer import Mail
from app.models import User

templates = Environment(
    loader=PackageLoader("app"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def welcome_mail(user: User, settings: Settings) -> Mail:
    values = {"name": user.full_name or user.email, "public_url": settings.public_url}
    return Mail(
        to=user.email,
        subject="Welcome",
        text=templates.get_template("mail/welcome.txt").render(values),
        html=templates.get_template("mail/welcome.html").render(values),
    )

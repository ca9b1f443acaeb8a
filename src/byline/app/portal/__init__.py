"""The web portal: pages for contributors, auditors, officers and operators, without JavaScript."""

from byline.app.portal.accounts import Accounts, Person, Role, open_accounts
from byline.app.portal.server import create_app, mailing, warm

__all__ = ["Accounts", "Person", "Role", "create_app", "mailing", "open_accounts", "warm"]

"""An internal port that knows no accounts."""

from bridge.web.accounts import AccountsApi

NOBODY = AccountsApi(list, dict, lambda: None)

"""The status page of the internal port: made by the server, kept up to date by server-sent events.

`serving` has the routes, `document` the frame, `sections` and `chart` what is in it, `html` how it is written; `static`
holds the style sheet and the script. No build, and nothing is asked of anybody else.
"""

from bridge.web.page.serving import Page

__all__ = ["Page"]

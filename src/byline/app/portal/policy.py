"""What every answer of the portal forbids browsers to do, and the two pages that may run its one script.

Pictures may stand in a page as data: that is how a question is shown beside an answer, without being kept.
"""

CONTENT = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
WITH_SCRIPT = {"content-security-policy": f"{CONTENT}; script-src 'self'"}
HEADERS = {
    "content-security-policy": CONTENT,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

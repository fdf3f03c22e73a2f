"""A visitor of the page without a browser: a client of the protocol of Streamlit's own page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import requests
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

TIMEOUT = 60.0


@dataclass
class Page:
    """What one run of the page shows."""

    session: str = ""
    texts: list[str] = field(default_factory=list)
    metrics: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    exceptions: list[str] = field(default_factory=list)
    uploader: str = ""
    microphone: str = ""


class Visitor:
    """The connection of one browser.

    with Visitor(url) as visitor:
        visitor.open()
        page = visitor.send("a.wav", content)
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = requests.Session()
        self._http.get(f"{url}/_stcore/health", timeout=10)
        self._token = self._http.cookies.get("_streamlit_xsrf", "")
        headers = {"Cookie": f"_streamlit_xsrf={self._token}"}
        self._connection = connect(
            url.replace("http", "ws", 1) + "/_stcore/stream",
            additional_headers=headers,
            subprotocols=["streamlit", self._token],  # type: ignore[list-item]
            max_size=2**26,
        )

    def __enter__(self) -> Visitor:
        self._socket = self._connection.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.__exit__(None, None, None)

    def open(self) -> Page:
        """Return the page as it is shown first."""
        self._send(rerun_script={})
        self.page = self._read()
        return self.page

    def send(self, name: str, content: bytes, *, spoken: bool = False) -> Page:
        """Upload a recording, or send it as `spoken`, and return the page with its result."""
        upload = self.upload_urls(name)
        response = self.put(upload["upload_url"], name, content)
        assert response.status_code == 204, response.text
        info = {"file_id": upload["file_id"], "name": name, "size": len(content)}
        state = {
            "id": self.page.microphone if spoken else self.page.uploader,
            "file_uploader_state_value": {
                "uploaded_file_info": [{**info, "file_urls": upload}],
            },
        }
        self._send(rerun_script={"widget_states": {"widgets": [state]}})
        return self._read()

    def upload_urls(self, name: str) -> dict[str, str]:
        """Request the addresses for the upload of a file."""
        request = {"request_id": "1", "file_names": [name], "session_id": self.page.session}
        self._send(file_urls_request=request)
        while True:
            message = self._receive()
            if message.WhichOneof("type") == "file_urls_response":
                urls = message.file_urls_response.file_urls[0]
                return {
                    name: getattr(urls, name) for name in ("file_id", "upload_url", "delete_url")
                }

    def put(self, address: str, name: str, content: bytes, *, token: bool = True) -> Any:
        """Upload a file to such an address; without `token`, as a page of another site would."""
        headers = {"X-Xsrftoken": self._token} if token else {}
        files = {"file": (name, content)}
        return self._http.put(self._url + address, files=files, headers=headers, timeout=30)

    def get(self, address: str) -> Any:
        """Request an address of the server."""
        return self._http.get(self._url + address, timeout=30)

    def _send(self, **fields: Any) -> None:
        self._socket.send(BackMsg(**fields).SerializeToString())

    def _receive(self) -> ForwardMsg:
        message = ForwardMsg()
        message.ParseFromString(self._socket.recv(TIMEOUT))  # type: ignore[arg-type]
        return message

    def _read(self) -> Page:
        """Receive one run of the page to its end."""
        page = Page()
        while True:
            message = self._receive()
            kind = message.WhichOneof("type")
            if kind == "new_session":
                page.session = message.new_session.initialize.session_id
            elif kind == "delta":
                _add_element(page, message.delta.new_element)
            elif kind == "script_finished":
                return page


def _add_element(page: Page, element: Any) -> None:
    kind = element.WhichOneof("type")
    if kind == "text":
        page.texts.append(element.text.body)
    elif kind == "metric":
        page.metrics[element.metric.label] = element.metric.body
    elif kind == "exception":
        page.exceptions.append(element.exception.message)
    elif kind == "alert":
        page.errors.append(element.alert.body)
    elif kind == "file_uploader":
        page.uploader = element.file_uploader.id
    elif kind == "audio_input":
        page.microphone = element.audio_input.id

"""What the page says of where pictures go: by the part of the page that says it."""

from __future__ import annotations

from collections.abc import Mapping

#: Where a server reads them.
ON_SERVER: Mapping[str, str] = {
    "webcam": "Frames go to the computer that runs this page, are read there and forgotten, and so "
    "does sound, if you ask for the voice too. Nothing is stored.",
    "photo": "It is read in memory and forgotten; nothing is stored.",
    "video": "It lies in a temporary folder while it is read and is deleted with the answer. Words "
    "that you add are read in memory and forgotten.",
    "about": "To the computer that runs this page, and no farther. They are read in its memory and "
    "forgotten with the answer. A clip lies in a temporary folder while it is read, and is deleted "
    "with the answer. No picture, sound, word, number or usage statistic is kept.",
}

#: Where the visitor's own device does.
ON_DEVICE: Mapping[str, str] = {
    "webcam": "Nothing leaves this device: the page itself reads the picture, and forgets it. "
    "Nothing is stored.",
    "photo": "Nothing leaves this device.",
    "video": "Nothing leaves this device.",
    "about": "Nowhere: nothing leaves this device. Once loaded, the page reads camera, photos "
    "and clips by itself, without a network. It sets no cookie and counts nobody. The browser "
    "keeps the page and its weights, so that it opens without a network, and nothing else.",
}

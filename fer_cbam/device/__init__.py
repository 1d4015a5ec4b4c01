"""The page for the visitor's own device: a folder of files that any host serves.

What it does is written in JavaScript and C, in ``web/``; its parts are those of the server's page.
Here the folder is put together.
"""

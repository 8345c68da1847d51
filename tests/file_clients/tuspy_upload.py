"""Uploads a file by tuspy in pieces, and says where it is: tuspy_upload.py URL TOKEN FILE CHUNK"""

import sys

from tusclient.client import TusClient

url, token, path, chunk = sys.argv[1:]
client = TusClient(url + "/files", headers={"Authorization": f"Bearer {token}"})
uploader = client.uploader(
    path,
    chunk_size=int(chunk),
    metadata={"filename": "tuspy.bin", "filetype": "application/octet-stream"},
    upload_checksum=True,
    retries=3,
    retry_delay=1,
)
# In two steps: the second one asks how far the first has come.
uploader.upload(stop_at=int(chunk) + 1)
again = client.uploader(path, chunk_size=int(chunk), url=uploader.url)
again.upload()
print(again.url)

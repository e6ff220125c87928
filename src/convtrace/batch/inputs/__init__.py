"""Where pictures come from: files, addresses, archives, shards, manifests, videos.

Each input is a small record that names one picture and can be sent to another process or
machine, where it is read. What the names look like:

=====================================  ==================================================
``photos/a.jpg``                       a file
``s3://bucket/photos/a.jpg``           an object at any address that fsspec knows
``photos.zip/2024/a.jpg``              a member of an archive: zip, tar, tar.gz, ...
``s3://bucket/shard-000.tar/0001.jpg`` a member of an archive elsewhere
``clip.mp4#t=12.480000``               a frame of a video, by its time in seconds
=====================================  ==================================================
"""

from __future__ import annotations

from convtrace.batch.inputs.expansion import find_inputs
from convtrace.batch.inputs.records import FileInput, Input, Stamp
from convtrace.batch.inputs.streams import streamed

__all__ = ["FileInput", "Input", "Stamp", "find_inputs", "streamed"]

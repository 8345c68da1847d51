"""Makes the pictures of this folder, with Pillow 13: left half red, right half blue."""

import gzip
import io
from pathlib import Path

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

HERE = Path(__file__).parent
picture = Image.new("RGB", (80, 60), "blue")
picture.paste("red", (0, 0, 40, 60))
other = Image.new("RGB", (80, 60), "lime")

exif = Image.Exif()
exif[Base.Orientation] = 6  # turned by a quarter: what is stored at the left is seen at the top
exif[Base.Make] = "Camera of a test"
exif.get_ifd(IFD.GPSInfo)[GPS.GPSLatitude] = (48.0, 8.0, 14.0)

picture.save(HERE / "plain.jpg", quality=90)
picture.save(HERE / "progressive.jpg", quality=90, progressive=True)
picture.convert("CMYK").save(HERE / "cmyk.jpg", quality=90)
picture.convert("L").save(HERE / "gray.jpg", quality=90)
picture.save(HERE / "turned.jpg", quality=90, exif=exif)
picture.save(HERE / "turned.png", exif=exif)
picture.save(HERE / "turned.webp", quality=90, exif=exif)
picture.quantize(2).save(HERE / "palette.png")
Image.new("I;16", (80, 60), 0x8000).save(HERE / "sixteen.png")
Image.new("RGBA", (80, 60), (255, 0, 0, 0)).save(HERE / "clear.webp", lossless=True)
picture.save(HERE / "lossy.webp", quality=90)
picture.save(HERE / "moving.webp", save_all=True, append_images=[other], duration=100)
picture.save(HERE / "moving.png", save_all=True, append_images=[other], duration=100)

large = io.BytesIO()
picture.resize((5000, 5000)).save(large, "JPEG", progressive=True, subsampling=0)
(HERE / "large_progressive.jpg.gz").write_bytes(gzip.compress(large.getvalue(), mtime=0))

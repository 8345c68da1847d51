//! Pictures as people send them, and as people do not.

use std::fs;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};

pub(crate) const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// One that `tests/support/pictures/make.py` makes.
pub(crate) fn picture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/pictures");
    fs::read(folder.join(name)).unwrap()
}

pub(crate) fn photo(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x % 251) as u8, (y % 241) as u8, 128]))
}

pub(crate) fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut file = Vec::new();
    JpegEncoder::new(&mut file).encode_image(picture).unwrap();
    file
}

pub(crate) fn png(picture: &RgbImage) -> Vec<u8> {
    let mut file = Vec::new();
    let (width, height) = picture.dimensions();
    let encoder = PngEncoder::new(&mut file);
    encoder.write_image(picture, width, height, ExtendedColorType::Rgb8).unwrap();
    file
}

/// The beginning of a PNG of three channels of 8 bits.
pub(crate) fn png_head(width: u32, height: u32) -> Vec<u8> {
    let mut data = [width.to_be_bytes(), height.to_be_bytes()].concat();
    data.extend_from_slice(&[8, 2, 0, 0, 0]);
    [PNG_SIGNATURE.to_vec(), chunk(b"IHDR", &data)].concat()
}

/// A chunk of a PNG, with its checksum.
pub(crate) fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut checked = kind.to_vec();
    checked.extend_from_slice(data);
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    [length.to_vec(), checked.clone(), crc32(&checked).to_be_bytes().to_vec()].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc: u32, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    })
}

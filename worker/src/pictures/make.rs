//! A picture for an account, made of what a user has put.

use std::io::Cursor;

use common::domain::picture::PictureFault;
use image::codecs::webp::WebPEncoder;
use image::error::{ImageError, LimitErrorKind};
use image::imageops::FilterType;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, ImageReader, Limits};

/// The longest side of a picture, in pixels.
pub const SIDE: u32 = 512;

/// What is decoded at most: a photo of a phone of 24 megapixels.
const MAX_PIXELS: u64 = 25_000_000;
const MAX_SIDE: u32 = 16_384;
/// Of a PNG with 16 bits a channel.
const MAX_BYTES_PER_PIXEL: u64 = 8;

/// The middle of a JPEG, PNG or WebP as a square WebP of [`SIDE`] pixels at most, turned as it says
/// itself (EXIF). Nothing else of the file is left: neither place nor camera, nor what is hidden
/// behind the pixels. Of an animation the first frame is taken. Nothing is enlarged. Numbers of
/// pixels are taken as sRGB, whatever profile the file has.
///
/// # Errors
/// Why none can be made of it.
pub fn make(file: &[u8]) -> Result<Vec<u8>, PictureFault> {
    let picture = decode(file)?;
    let side = SIDE.min(picture.width()).min(picture.height());
    encode(&picture.resize_to_fill(side, side, FilterType::CatmullRom))
}

fn decode(file: &[u8]) -> Result<DynamicImage, PictureFault> {
    let format = image::guess_format(file).ok();
    let format = format.filter(|format| {
        matches!(format, ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP)
    });
    let format = format.ok_or(PictureFault::NotAPicture)?;
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_PIXELS * MAX_BYTES_PER_PIXEL);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(fault)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(PictureFault::TooManyPixels);
    }
    let orientation = decoder.orientation().map_err(fault)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(fault)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn fault(error: ImageError) -> PictureFault {
    match error {
        ImageError::Limits(limit) if matches!(limit.kind(), LimitErrorKind::DimensionError) => {
            PictureFault::TooManyPixels
        }
        ImageError::Limits(_) => PictureFault::TooCostly,
        _ => PictureFault::Damaged,
    }
}

fn encode(picture: &DynamicImage) -> Result<Vec<u8>, PictureFault> {
    let (width, height) = (picture.width(), picture.height());
    let mut file = Vec::new();
    let encoder = WebPEncoder::new_lossless(&mut file);
    if picture.color().has_alpha() {
        encoder.encode(&picture.to_rgba8(), width, height, ExtendedColorType::Rgba8)
    } else {
        encoder.encode(&picture.to_rgb8(), width, height, ExtendedColorType::Rgb8)
    }
    .map_err(fault)?;
    Ok(file)
}

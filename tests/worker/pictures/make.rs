//! What is made of a file, and of which none.

use std::time::{Duration, Instant};

use common::domain::picture::PictureFault;
use image::{ImageFormat, Rgba, RgbaImage};
use worker::pictures::make::{SIDE, make};

use crate::support::pictures::{PNG_SIGNATURE, chunk, jpeg, photo, picture, png, png_head};

/// What is made of it, decoded again.
fn made(file: &[u8]) -> RgbaImage {
    let picture = make(file).unwrap();
    assert_eq!(image::guess_format(&picture).unwrap(), ImageFormat::WebP);
    image::load_from_memory(&picture).unwrap().to_rgba8()
}

fn is_near(pixel: &Rgba<u8>, color: [u8; 3]) -> bool {
    pixel.0.iter().zip(color).all(|(&is, wanted)| is.abs_diff(wanted) < 40)
}

const RED: [u8; 3] = [255, 0, 0];
const BLUE: [u8; 3] = [0, 0, 255];

#[test]
fn every_kind_of_file_becomes_a_square() {
    for name in [
        "plain.jpg",
        "progressive.jpg",
        "cmyk.jpg",
        "lossy.webp",
        "moving.webp",
        "moving.png",
        "palette.png",
    ] {
        let picture = made(&picture(name));
        assert_eq!(picture.dimensions(), (60, 60), "{name}: the middle, and not enlarged");
        assert!(is_near(picture.get_pixel(2, 30), RED), "{name}: the first frame");
        assert!(is_near(picture.get_pixel(57, 30), BLUE), "{name}");
    }
    for name in ["gray.jpg", "sixteen.png"] {
        let [red, green, blue, _] = made(&picture(name)).get_pixel(30, 30).0;
        assert!(red == green && green == blue, "{name}");
    }
    assert_eq!(made(&picture("sixteen.png")).get_pixel(9, 9).0, [128, 128, 128, 255]);
    assert_eq!(made(&picture("clear.webp")).get_pixel(9, 9).0[3], 0, "clear as it was");
}

#[test]
fn a_large_one_is_made_small() {
    for (width, height) in [(1200, 900), (600, 2000), (513, 512), (3000, 40)] {
        let side = SIDE.min(width).min(height);
        assert_eq!(made(&jpeg(&photo(width, height))).dimensions(), (side, side));
    }
    assert_eq!(made(&png(&photo(1, 7))).dimensions(), (1, 1));
}

#[test]
fn it_is_turned_as_it_says_and_says_nothing_any_more() {
    for name in ["turned.jpg", "turned.png", "turned.webp"] {
        let file = picture(name);
        assert!(file.windows(16).any(|bytes| bytes == b"Camera of a test"), "{name}");
        let picture = made(&file);
        assert!(is_near(picture.get_pixel(30, 2), RED), "{name}");
        assert!(is_near(picture.get_pixel(30, 57), BLUE), "{name}");
        let bytes = make(&file).unwrap();
        assert!(!bytes.windows(6).any(|bytes| bytes == b"Camera"), "{name}");
        assert_eq!(&bytes[12..16], b"VP8L", "{name}: pixels and nothing beside them");
        assert_eq!(bytes.len(), 8 + u32_at(&bytes, 4) as usize, "{name}: nothing behind it");
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn what_is_hidden_behind_or_in_it_is_gone() {
    let html = b"<html><script>alert(document.domain)</script></html>";
    let zip = b"PK\x03\x04\x14\0\0\0\0\0a.txthidden";
    let jpeg_with_html = [jpeg(&photo(64, 64)), html.to_vec()].concat();
    let png_with_zip = [png(&photo(64, 64)), zip.to_vec()].concat();
    let mut comment = vec![0xFF, 0xD8, 0xFF, 0xFE, 0, u8::try_from(html.len() + 2).unwrap()];
    comment.extend_from_slice(html);
    let html_in_jpeg = [comment, jpeg(&photo(64, 64)).split_off(2)].concat();
    for file in [jpeg_with_html, png_with_zip, html_in_jpeg] {
        let picture = make(&file).unwrap();
        for hidden in [&b"script"[..], b"hidden", b"PK\x03\x04"] {
            assert!(!picture.windows(hidden.len()).any(|bytes| bytes == hidden));
        }
        assert_eq!(made(&file).dimensions(), (64, 64));
    }
}

#[test]
fn what_is_no_picture_is_told_by_its_bytes() {
    let gif = b"GIF89a\x01\0\x01\0\0\0\0;";
    let bmp = b"BM\x3a\0\0\0\0\0\0\0";
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    let html = b"<!doctype html><script>alert(1)</script>";
    for file in [&b""[..], b"\xFF", gif, bmp, svg, html, b"RIFF\0\0\0\0WAVE", b"PK\x03\x04"] {
        assert_eq!(make(file), Err(PictureFault::NotAPicture));
    }
    // HTML that begins as a picture does.
    for head in [&b"\xFF\xD8\xFF\xE0"[..], PNG_SIGNATURE, b"RIFF\x40\0\0\0WEBPVP8 "] {
        assert_eq!(make(&[head, html].concat()), Err(PictureFault::Damaged));
    }
}

#[test]
fn one_that_breaks_off_is_damaged_wherever_that_is() {
    for name in ["turned.png", "sixteen.png", "moving.png", "lossy.webp", "clear.webp"] {
        let file = picture(name);
        for length in 16..file.len() / 2 {
            assert_eq!(make(&file[..length]), Err(PictureFault::Damaged), "{name} {length}");
        }
    }
    // Of a JPEG the upper part is shown, as browsers do, once there is any.
    let file = picture("plain.jpg");
    let shown = (4..file.len()).filter(|&length| match make(&file[..length]) {
        Ok(_) => true,
        Err(fault) => {
            assert_eq!(fault, PictureFault::Damaged, "{length}");
            false
        }
    });
    assert!(shown.count() < 400);
}

#[test]
fn a_bomb_is_refused_by_its_header_in_no_time() {
    let began = Instant::now();
    // 25,000,000 pixels are the most.
    for (width, height) in [(5001, 5000), (16_385, 1), (1, 60_000), (u32::MAX / 2, u32::MAX / 2)] {
        let file = [png_head(width, height), chunk(b"IDAT", &[]), chunk(b"IEND", &[])].concat();
        assert_eq!(make(&file), Err(PictureFault::TooManyPixels), "{width} x {height}");
    }
    let mut jpeg = jpeg(&photo(8, 8));
    let at = jpeg.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
    jpeg[at + 5..at + 9].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0xFF]);
    assert_eq!(make(&jpeg), Err(PictureFault::TooManyPixels));
    let mut webp = picture("clear.webp");
    assert_eq!(&webp[12..16], b"VP8L");
    let sides = 16_382 | 16_382 << 14;
    webp[21..25].copy_from_slice(&u32::to_le_bytes(sides));
    assert_eq!(make(&webp), Err(PictureFault::TooManyPixels));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

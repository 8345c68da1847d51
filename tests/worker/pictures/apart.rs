//! Whatever is sent as a picture costs a process of its own, and no more than it may.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::ZlibEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};

use crate::support::durations::SECOND;
use crate::support::eventually;
use crate::support::pictures::{chunk, jpeg, picture, png, png_head};
use crate::support::process::path_of;

/// The worker as the process that makes one picture.
fn start() -> Child {
    let mut command = Command::new(path_of("worker"));
    command.arg("make-picture").env_clear().env("MIMALLOC_ARENA_RESERVE", "0");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// A picture, or the word that says why there is none; nothing where the process was ended.
fn make(file: &[u8]) -> Result<Vec<u8>, String> {
    let mut process = start();
    let mut stdin = process.stdin.take().unwrap();
    stdin.write_all(file).unwrap();
    drop(stdin);
    let output = process.wait_with_output().unwrap();
    let word = || String::from_utf8(output.stdout.clone()).unwrap();
    if output.status.success() { Ok(output.stdout) } else { Err(word()) }
}

#[test]
fn the_program_makes_one_picture_of_what_it_reads() {
    assert_eq!(&make(&picture("turned.jpg")).unwrap()[8..16], b"WEBPVP8L");
    for (file, fault) in [
        (b"GIF89a".to_vec(), "not_a_picture"),
        (picture("lossy.webp")[..60].to_vec(), "damaged"),
        ([png_head(9_000, 9_000), chunk(b"IDAT", b"")].concat(), "too_many_pixels"),
    ] {
        assert_eq!(make(&file), Err(fault.to_owned()));
    }
}

#[test]
fn the_largest_that_is_taken_stays_within_its_bounds() {
    const SIDE: u32 = 5_000;
    let pixels = vec![7; (SIDE * SIDE * 8) as usize];
    let mut deep = Vec::new();
    let (fast, plain) = (CompressionType::Fast, FilterType::NoFilter);
    let encoder = PngEncoder::new_with_quality(&mut deep, fast, plain);
    encoder.write_image(&pixels, SIDE, SIDE, ExtendedColorType::Rgba16).unwrap();
    let mut webp = Vec::new();
    let (encoder, colors) = (WebPEncoder::new_lossless(&mut webp), ExtendedColorType::Rgba8);
    encoder.encode(&pixels[..pixels.len() / 2], SIDE, SIDE, colors).unwrap();
    drop(pixels);
    let mut progressive = Vec::new();
    let packed = picture("large_progressive.jpg.gz");
    GzDecoder::new(&packed[..]).read_to_end(&mut progressive).unwrap();
    for file in [deep, webp, jpeg(&RgbImage::new(SIDE, SIDE)), progressive] {
        assert_eq!(make(&file).map(|made| made.len() > 100), Ok(true), "{}", file.len());
    }
}

/// Its address space is smaller than a gigabyte.
#[test]
fn what_would_unpack_to_a_gigabyte_is_not_unpacked() {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    for _ in 0..1_000 {
        encoder.write_all(&[0; 1_000_000]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 2_000_000);
    let plain = png(&RgbImage::new(8, 8));
    let (head, rest) = plain.split_at(33);
    let text = chunk(b"zTXt", &[b"Comment\0\0", &bomb[..]].concat());
    let profile = chunk(b"iCCP", &[b"profile\0\0", &bomb[..]].concat());
    let pixels = [png_head(8, 8), chunk(b"IDAT", &bomb), chunk(b"IEND", &[])].concat();
    for file in [[head, &text, rest].concat(), [head, &profile, rest].concat(), pixels] {
        assert!(make(&file).is_ok());
    }
}

/// The picture in it says that it has 268 million pixels, the file around it that it has few.
#[test]
fn a_size_that_lies_is_damage() {
    let mut lossy = picture("lossy.webp").split_off(12);
    assert_eq!(&lossy[..4], b"VP8 ");
    lossy[14..18].copy_from_slice(&[0xFF, 0x3F, 0xFF, 0x3F]);
    let extended = [b"VP8X\x0a\0\0\0\0\0\0\0\x0f\0\0\x0f\0\0", &lossy[..]].concat();
    let length = u32::try_from(extended.len() + 4).unwrap().to_le_bytes();
    let file = [b"RIFF", &length[..], b"WEBP", &extended[..]].concat();
    assert_eq!(make(&file), Err("damaged".to_owned()));
}

/// Whatever a decoder does: it does it for so long, and with so much memory.
#[async_test]
async fn the_process_bounds_itself_before_it_reads() {
    let mut process = start();
    let wanted = ["cpu time 15 15", "address space 671088640 671088640", "file size 0 0"];
    eventually(10 * SECOND, "its bounds", async || {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.id())).ok()?;
        let words: Vec<_> = limits.split_whitespace().collect();
        let limits = words.join(" ");
        wanted.iter().all(|limit| limits.contains(&format!("Max {limit} "))).then_some(())
    })
    .await;
    process.kill().unwrap();
    process.wait().unwrap();
}

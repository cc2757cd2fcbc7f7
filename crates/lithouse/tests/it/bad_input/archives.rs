// SPDX-License-Identifier: Apache-2.0
//! Archives that are none, are hostile, or lie. How each is told apart is tested at the engine; here it is what people are told.

use lithouse_testkit::forge::{self, ZipEntry, tar_entry, tar_entry_sized, tar_file};

use super::lab::{SCRIPT, refused};
use super::request::Request;

fn zip(entries: &[ZipEntry]) -> Vec<Request> {
    Request::bundle(forge::zip(&[&[ZipEntry::file("app.py", SCRIPT)], entries].concat()))
}

fn tar(entries: &[Vec<u8>]) -> Vec<Request> {
    Request::bundle(tar_bytes(entries))
}

fn tar_bytes(entries: &[Vec<u8>]) -> Vec<u8> {
    forge::tar(&[&[tar_file("app.py", SCRIPT)], entries].concat())
}

fn named(name: &[u8]) -> Vec<Request> {
    zip(&[ZipEntry { name: name.to_vec(), ..ZipEntry::file("", "x") }])
}

fn of_mode(mode: u32) -> Vec<Request> {
    zip(&[ZipEntry { mode, ..ZipEntry::file("data", "/etc/passwd") }])
}

fn of_kind(kind: u8) -> Vec<Request> {
    tar(&[tar_entry("data", kind, b"", "/etc/passwd")])
}

/// An extended header, whose length counts itself.
fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let length = (1..1000).find(|length: &usize| length.to_string().len() + rest.len() == *length).unwrap();
    format!("{length}{rest}").into_bytes()
}

/// A directory of so many entries that all point to the same empty file.
fn of_many(count: u64) -> Vec<u8> {
    let entry = ZipEntry::file("0000000", "");
    let mut archive = forge::zip(std::slice::from_ref(&entry));
    archive.truncate(37);
    let directory: Vec<u8> =
        (0..count).flat_map(|n| ZipEntry { name: format!("{n:07}").into_bytes(), ..entry.clone() }.central(0)).collect();
    let (size, record_at) = (directory.len() as u64, (37 + directory.len()) as u64);
    archive.extend(directory);
    // So many need the record of zip64, and the one that points to it.
    archive.extend(b"PK\x06\x06");
    archive.extend(44_u64.to_le_bytes());
    archive.extend([45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [count, count, size, 37] {
        archive.extend(number.to_le_bytes());
    }
    archive.extend(b"PK\x06\x07\0\0\0\0");
    archive.extend(record_at.to_le_bytes());
    archive.extend(1_u32.to_le_bytes());
    archive.extend(forge::zip_end(0, u16::MAX, u32::MAX, u32::MAX));
    archive
}

fn bomb() -> Vec<u8> {
    let zeros = ZipEntry { stored: forge::deflated_zeros(300), method: 8, size: 300 << 20, ..ZipEntry::file("data.bin", "") };
    forge::zip(&[ZipEntry::file("app.py", SCRIPT), zeros])
}

/// The directory at the end names another file than the entry itself.
fn disagreeing() -> Vec<u8> {
    let mut archive = forge::zip(&[ZipEntry::file("app.py", SCRIPT)]);
    archive[30..36].copy_from_slice(b"xpp.py");
    archive
}

fn cut(archive: &[u8], at: usize) -> Vec<Request> {
    Request::bundle(&archive[..at])
}

fn whole_zip() -> Vec<u8> {
    forge::zip(&[ZipEntry::deflated("app.py", SCRIPT.repeat(100).as_bytes())])
}

refused! { "archives":
    a_script_in_place_of_an_archive: Request::bundle(SCRIPT);
    a_7z: Request::bundle(b"7z\xbc\xaf\x27\x1c\0\x04rest");
    a_rar: Request::bundle(b"Rar!\x1a\x07\x01\0rest");
    a_bzip2: Request::bundle(b"BZh91AY&SY");
    an_xz: Request::bundle(b"\xfd7zXZ\0\0\x04");
    a_zstd: Request::bundle(b"\x28\xb5\x2f\xfd\x04\0");
    an_empty_zip: Request::bundle(forge::zip(&[]));
    a_zip_without_a_script: Request::bundle(forge::zip(&[ZipEntry::file("readme.txt", "x")]));
    a_zip_with_two_scripts_of_other_names: Request::bundle(forge::zip(&[ZipEntry::file("sales.py", "1"), ZipEntry::file("stock.py", "2")]));
    a_zip_with_the_script_in_one_of_two_folders: Request::bundle(forge::zip(&[ZipEntry::file("a/app.py", "1"), ZipEntry::file("b/data.csv", "2")]));
    a_zip_in_a_zip: Request::bundle(forge::zip(&[ZipEntry { stored: whole_zip(), size: forge::length(&whole_zip()), checksum: forge::checksum(&whole_zip()), ..ZipEntry::file("app.zip", "") }]));
    a_zip_with_a_folder_for_a_script: Request::bundle(forge::zip(&[ZipEntry::file("app.py/", ""), ZipEntry::file("readme.txt", "x")]));
    a_script_in_capitals: Request::bundle(forge::zip(&[ZipEntry::file("APP.PY", SCRIPT)]));
    a_name_that_leads_upwards: named(b"../evil.py");
    a_name_that_leads_upwards_on_a_detour: named(b"a/../b.py");
    an_absolute_name: named(b"/etc/cron.d/evil");
    a_name_of_another_system: named(b"..\\evil.py");
    a_name_with_a_nul: named(b"evil\0.py");
    a_name_that_steers_a_terminal: named(b"\x1b[2J.py");
    a_name_that_is_no_text: named(b"caf\xe9.py");
    an_empty_name: named(b"");
    a_name_of_four_thousand_bytes: named(&[b'n'; 4000]);
    a_name_a_thousand_folders_deep: named(&b"d/".repeat(1000));
    a_link_in_a_zip: of_mode(0o120_777);
    a_fifo_in_a_zip: of_mode(0o010_644);
    a_device_in_a_zip: of_mode(0o060_644);
    a_socket_in_a_zip: of_mode(0o140_644);
    a_file_twice: zip(&[ZipEntry::file("a.txt", "1"), ZipEntry::file("./a.txt", "2")]);
    a_file_and_a_folder: zip(&[ZipEntry::file("a", "1"), ZipEntry::file("a/b", "2")]);
    an_encrypted_zip: zip(&[ZipEntry { flags: 1, ..ZipEntry::file("secret.txt", "0123456789abc") }]);
    an_unusual_compression: zip(&[ZipEntry { method: 12, ..ZipEntry::file("data.txt", "BZh9") }]);
    a_size_that_lies: zip(&[ZipEntry { size: 10, ..ZipEntry::deflated("data.txt", &vec![b'x'; 1_000_000]) }]);
    a_wrong_checksum: zip(&[ZipEntry { checksum: 1, ..ZipEntry::file("data.txt", "x") }]);
    a_part_of_a_split_zip: {
        let whole = forge::zip(&[ZipEntry::file("app.py", "")]);
        Request::bundle([&whole[..whole.len() - 22], &forge::zip_end(2, 1, 52, 36)].concat())
    };
    a_directory_that_disagrees: Request::bundle(disagreeing());
    entries_that_overlap: Request::bundle(forge::overlapping_zip(200));
    a_bomb: Request::bundle(bomb());
    a_million_entries: Request::bundle(of_many(1_000_000));
    a_zip_that_was_cut: cut(&whole_zip(), 60);
    a_zip_without_its_last_byte: cut(&whole_zip(), whole_zip().len() - 1);
    a_hard_link: of_kind(b'1');
    a_symbolic_link: of_kind(b'2');
    a_character_device: of_kind(b'3');
    a_block_device: of_kind(b'4');
    a_fifo: of_kind(b'6');
    a_sparse_file: of_kind(b'S');
    an_absolute_name_in_a_tar: tar(&[tar_file("/etc/cron.d/evil", "x")]);
    a_name_upwards_in_a_tar: tar(&[tar_file("../evil.py", "x")]);
    a_long_name_upwards: tar(&[tar_entry("././@LongLink", b'L', b"../evil.py\0", ""), tar_file("good.py", "x")]);
    a_name_upwards_in_an_extended_header: tar(&[tar_entry("x", b'x', &record("path", "../evil.py"), ""), tar_file("good.py", "x")]);
    a_name_of_four_thousand_bytes_in_a_tar: tar(&[tar_entry("././@LongLink", b'L', &[b'n'; 4000], ""), tar_file("good.py", "x")]);
    a_long_name_that_claims_gigabytes: tar(&[tar_entry_sized(b"././@LongLink", b'L', b"x", "", b"77777777777")]);
    a_size_in_a_tar_that_lies: tar(&[tar_entry_sized(b"data", b'0', b"x", "", b"00000100000")]);
    a_size_in_a_tar_that_is_no_number: tar(&[tar_entry_sized(b"data", b'0', b"x", "", b"zzzzzzzzzzz")]);
    a_file_twice_in_a_tar: tar(&[tar_file("a", "1"), tar_file("a", "2")]);
    a_tar_that_was_cut: cut(&tar_bytes(&[]), 600);
    a_compressed_tar_that_was_cut: {
        let whole = forge::gz(&tar_bytes(&[]));
        cut(&whole, whole.len() - 20)
    };
    a_compressed_tar_with_a_wrong_checksum: {
        let mut whole = forge::gz(&tar_bytes(&[]));
        let at = whole.len() - 6;
        whole[at] ^= 1;
        Request::bundle(whole)
    };
    a_compressed_tar_with_garbage_behind_it: Request::bundle([forge::gz(&tar_bytes(&[])), b"garbage".to_vec()].concat());
    a_compressed_script: Request::bundle(forge::gz(SCRIPT.repeat(100).as_bytes()));
    a_tar_with_too_many_entries: tar(&(0..20_001).map(|n| tar_file(&format!("f{n}"), "")).collect::<Vec<_>>());
}

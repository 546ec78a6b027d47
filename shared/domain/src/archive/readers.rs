//! Opens archives with the programs that recipients use. A program that is not installed is skipped with a
//! message.

use std::fs::File;
use std::io::{ErrorKind, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::testing::{TestFile, UNLIMITED, archive_file, archive_of, make_archive};
use super::*;

/// A file that is deleted when the test ends.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("sharelink-{}-{name}", std::process::id())))
    }

    fn with_content(name: &str, content: &[u8]) -> Self {
        let file = Self::new(name);
        std::fs::write(&file.0, content).unwrap();
        file
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs a program and returns its output. Fails the test if the program reports an error or a warning.
fn run(program: &str, args: &[&str], archive: &Path, selection: &[&str]) -> Option<String> {
    let output =
        Command::new(program).args(args).arg(archive).args(selection).env("LC_ALL", "C.UTF-8").output();
    let output = match output {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // The test harness hides what `eprintln!` prints.
            writeln!(std::io::stderr(), "SKIPPED: {program} is not installed").unwrap();
            return None;
        }
        output => output.unwrap(),
    };
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {stdout}{stderr}");
    assert_eq!(stderr, "", "{program}");
    assert!(!stdout.to_lowercase().contains("warning"), "{program}: {stdout}");
    Some(stdout)
}

/// Prints name, size and CRC-32 of each entry, after reading its content in three ways.
const JAVA: &str = r#"
import java.io.*; import java.nio.file.*; import java.util.*; import java.util.zip.*;
public class Readers {
    static String read(InputStream in, String name) throws IOException {
        CheckedInputStream checked = new CheckedInputStream(in, new CRC32());
        long size = checked.transferTo(OutputStream.nullOutputStream());
        return String.format("%s\t%d\t%08x%n", name, size, checked.getChecksum().getValue());
    }
    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        String only = args.length > 1 ? args[1] : null;
        StringBuilder a = new StringBuilder(), b = new StringBuilder(), c = new StringBuilder();
        try (ZipFile zip = new ZipFile(args[0])) {
            for (ZipEntry entry : Collections.list(zip.entries())) {
                if (only != null && !entry.getName().equals(only)) continue;
                a.append(read(zip.getInputStream(entry), entry.getName()));
            }
        }
        InputStream file = new BufferedInputStream(new FileInputStream(args[0]), 1 << 20);
        try (ZipInputStream zip = new ZipInputStream(file)) {
            for (ZipEntry entry; (entry = zip.getNextEntry()) != null; ) {
                String line = read(zip, entry.getName());
                if (only == null || entry.getName().equals(only)) b.append(line);
            }
        }
        try (FileSystem zip = FileSystems.newFileSystem(Path.of(args[0]))) {
            for (String line : a.toString().split(System.lineSeparator())) {
                String name = line.split("\t")[0];
                c.append(read(Files.newInputStream(zip.getPath(name)), name));
            }
        }
        if (!a.toString().equals(b.toString())) throw new Exception("ZipInputStream:\n" + b);
        if (!a.toString().equals(c.toString())) throw new Exception("FileSystem:\n" + c);
        out.print(a);
    }
}
"#;

/// Prints name, size and CRC-32 of each entry, after reading its content.
const PYTHON: &str = r#"
import sys, zipfile, zlib
sys.stdout.reconfigure(encoding="utf-8")
with zipfile.ZipFile(sys.argv[1]) as archive:
    for entry in archive.infolist():
        if len(sys.argv) > 2 and entry.filename != sys.argv[2]:
            continue
        crc = size = 0
        with archive.open(entry) as content:
            while chunk := content.read(1 << 20):
                crc, size = zlib.crc32(chunk, crc), size + len(chunk)
        assert entry.date_time == (2026, 3, 10, 12, 0, 0), entry.date_time
        print(f"{entry.filename}\t{size}\t{crc:08x}")
"#;

/// Opens the archive with every reader, and compares the entries with the expected ones: name, size and
/// CRC-32. If an entry is selected, the readers that can seek read only this one.
fn check_readers(archive: &Path, selection: Option<&str>, expected: &str) {
    let selected: Vec<&str> = selection.into_iter().collect();
    if let Some(entries) = run("python3", &["-c", PYTHON], archive, &selected) {
        assert_eq!(entries, expected);
    }
    let java = TemporaryFile::with_content(
        &format!("{}.java", archive.file_name().unwrap().display()),
        JAVA.as_bytes(),
    );
    if let Some(entries) = run("java", &[java.0.to_str().unwrap()], archive, &selected) {
        assert_eq!(entries, expected);
    }
    run("unzip", &["-t"], archive, &selected);
    run("7z", &["t"], archive, &[]);
    run("bsdtar", &["-tf"], archive, &[]);
    if selection.is_none() {
        // Reads all content, to convert the archive.
        run("bsdtar", &["-cf", "/dev/null"], Path::new(&format!("@{}", archive.display())), &[]);
    }
    if let (Some(names), None) = (run("unzip", &["-Z", "-1"], archive, &[]), selection) {
        assert!(names.lines().eq(expected.lines().filter_map(|line| line.split('\t').next())));
    }
}

fn describe(name: &str, content: &[u8]) -> String {
    format!("{name}\t{}\t{:08x}\n", content.len(), Crc32::of(content).to_u32())
}

/// Returns bytes that differ from one position to the next.
fn content(len: usize) -> Vec<u8> {
    (0_u32..).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).take(len).collect()
}

#[test]
fn every_reader_opens_an_archive() {
    let known = |name, content: Vec<u8>| TestFile { has_crc: true, ..TestFile::new(name, content) };
    let files = [
        TestFile::new("a.pdf", "one"),
        TestFile::new("A.pdf", "two"),
        TestFile::new("見積書 Ünï 👩\u{200d}🚀.txt", "three"),
        known("empty", vec![]),
        known("copied.bin", content(11 << 20)),
        TestFile::new("read and copied.bin", content(12 << 20)),
        TestFile::new("..\\con<>:|?*.txt", "four"),
        TestFile::new(&"x".repeat(255), "five"),
    ];
    let left_out = [LeftOut { name: "gone.pdf".parse().unwrap(), reason: LeftOutReason::Missing }];
    let plan = Plan::new(archive_of(&files, &left_out));
    assert!(plan.parts().len() > 3);
    let archive = TemporaryFile::with_content("mixed.zip", &make_archive(&plan, &files, |_| 0));
    let names =
        ["a.pdf", "A (2).pdf", "見積書 Ünï 👩\u{200d}🚀.txt", "empty", "copied.bin", "read and copied.bin"];
    let names = names.into_iter().chain([".._con______.txt", &files[7].name]);
    let note = plan.archive().entries()[0].content.clone();
    let Content::LeftOut(note) = note else { panic!("no text") };
    let entries = names.zip(&files).map(|(name, file)| describe(name, &file.content));
    let expected: String =
        std::iter::once(describe("_Missing files.txt", note.as_bytes())).chain(entries).collect();
    check_readers(&archive.0, None, &expected);
}

#[test]
fn every_reader_opens_an_archive_of_many_files() {
    // This many entries need ZIP64.
    let files: Vec<TestFile> = (0..0xffff).map(|i| TestFile::new(&i.to_string(), "")).collect();
    let plan = Plan::new(archive_of(&files, &[]));
    let archive = TemporaryFile::with_content("many.zip", &make_archive(&plan, &files, |_| 0));
    let expected: String = files.iter().map(|file| describe(&file.name, b"")).collect();
    check_readers(&archive.0, None, &expected);
}

/// Returns the checksum of this many zeros.
fn crc_of_zeros(mut len: u64) -> Crc32 {
    let (mut crc, mut power, mut power_len) = (Crc32::EMPTY, Crc32::of(&[0]), 1);
    while len > 0 {
        if len & 1 == 1 {
            crc = crc.followed_by(power, power_len);
        }
        power = power.followed_by(power, power_len);
        (len, power_len) = (len >> 1, power_len << 1);
    }
    crc
}

#[test]
fn every_reader_opens_an_archive_of_more_than_4_gib() {
    // The file is sparse: only zeros, which take no space on the disk. At exactly 0xffffffff bytes, Debian's
    // `unzip` would misread the entry behind it.
    let size = 0x1_0000_0001;
    let large = ArchiveFile { crc32: Some(crc_of_zeros(size)), ..archive_file("large", size) };
    let files = vec![archive_file("before", 3), large, archive_file("behind", 3)];
    let plan = Plan::new(Archive::new(files, &[], UNLIMITED).unwrap());
    let archive = TemporaryFile::new("large.zip");
    let mut file = File::create(&archive.0).unwrap();
    let mut progress = Progress::new(&plan);
    let mut offset = 0;
    for part in plan.parts() {
        if let PartContent::Assemble(_) = part.content {
            let mut buffer = vec![0; usize::try_from(part.size).unwrap()];
            for (place, range) in part.objects().filter(|(place, _)| place.len() == 3) {
                buffer[place].copy_from_slice(if range.entry == 0 { b"one" } else { b"two" });
            }
            let crcs = plan.assemble(part, &progress, &mut buffer).unwrap();
            progress.record(part, ETag::parse("x").unwrap(), crcs);
            file.seek(SeekFrom::Start(offset)).unwrap();
            file.write_all(&buffer).unwrap();
        } else {
            progress.record(part, ETag::parse("x").unwrap(), Checksums::of_copied(None));
        }
        offset += part.size;
    }
    drop(file);
    check_readers(&archive.0, Some("behind"), &describe("behind", b"two"));
}

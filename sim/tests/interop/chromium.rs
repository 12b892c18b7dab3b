//! Chromium without a window, for pages that load nothing.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// Far more than a page takes, on a machine that has something else to do.
const SECONDS: &str = "60";

pub(crate) struct Browser(());

pub(crate) struct Page {
    folder: TempDir,
    name: String,
    file: PathBuf,
}

/// The page after its script has run.
pub(crate) struct Dom(String);

/// What was seen.
pub(crate) struct Shot {
    width: usize,
    /// Red, green and blue.
    pixels: Vec<[u8; 3]>,
}

impl Browser {
    /// Without Chromium it says so and answers `None`, or fails in CI.
    pub(crate) fn find() -> Option<Self> {
        let found = Command::new("chromium").arg("--version").output().is_ok_and(|output| output.status.success());
        assert!(found || std::env::var_os("CI").is_none(), "chromium is needed in CI (Debian package chromium)");
        if !found {
            eprintln!("NOT RUN: there is no chromium (Debian package chromium)");
        }
        found.then_some(Self(()))
    }

    pub(crate) fn page(&self, name: &str, html: &str) -> Page {
        let folder = tempfile::Builder::new().prefix("moorline-page-").tempdir().expect("a temporary folder");
        let file = folder.path().join("page.html");
        fs::write(&file, html).expect("the temporary folder is writable");
        Page { folder, name: name.to_owned(), file }
    }
}

impl Page {
    pub(crate) fn dom(&self, place: &str) -> Dom {
        Dom(String::from_utf8_lossy(&self.run("--dump-dom", place).stdout).into_owned())
    }

    /// Stays in the target folder, for people to look at.
    pub(crate) fn shot(&self, name: &str, place: &str) -> Shot {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("page-{}-{name}.png", self.name));
        let _ = fs::remove_file(&file);
        let _ = self.run(&format!("--screenshot={}", file.display()), place);
        println!("screenshot: {}", file.display());
        Shot::read(&file)
    }

    #[track_caller]
    fn run(&self, what: &str, place: &str) -> Output {
        let output = Command::new("timeout")
            .args([SECONDS, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-extensions", "--enable-logging=stderr", "--window-size=1400,1000"])
            // Drawing waits for a frame, and a frame for time to pass.
            .arg("--virtual-time-budget=2000")
            .arg(format!("--user-data-dir={}", self.folder.path().join("profile").display()))
            .arg(what)
            .arg(format!("file://{}#{place}", self.file.display()))
            .output()
            .expect("timeout can be started");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "chromium {what}: {}: {said}", output.status);
        let console: Vec<&str> = said.lines().filter(|line| line.contains("CONSOLE")).collect();
        assert!(console.is_empty(), "the page complains: {console:#?}");
        output
    }
}

impl Dom {
    /// A number that the script wrote into the page.
    #[track_caller]
    pub(crate) fn status(&self, name: &str) -> u64 {
        let written = self.text().split(&format!("data-{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
        written.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {name} in {}", self.text()))
    }

    /// The element that the script writes its figures into.
    pub(crate) fn text(&self) -> &str {
        let from = self.0.find("<output").unwrap_or(0);
        let to = self.0[from..].find("</output>").map_or(self.0.len(), |at| from + at);
        &self.0[from..to]
    }
}

impl Shot {
    /// Where the lanes are: left, top, right, bottom. Without axis, map, names and what is beside them.
    pub(crate) const LANES: [usize; 4] = [150, 170, 1080, 840];

    fn read(file: &Path) -> Self {
        let file = std::io::BufReader::new(fs::File::open(file).expect("chromium wrote a screenshot"));
        let mut reader = png::Decoder::new(file).read_info().expect("it is a PNG");
        let mut bytes = vec![0; reader.output_buffer_size().expect("it fits into memory")];
        let info = reader.next_frame(&mut bytes).expect("it is a whole PNG");
        let size = info.color_type.samples();
        assert!(size >= 3 && info.bit_depth == png::BitDepth::Eight, "{info:?}");
        let pixels =
            bytes[..info.buffer_size()].chunks_exact(size).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        Self { width: info.width as usize, pixels }
    }

    fn part(&self, [left, top, right, bottom]: [usize; 4]) -> impl Iterator<Item = [u8; 3]> {
        (top..bottom).flat_map(move |y| (left..right).map(move |x| self.pixels[y * self.width + x]))
    }

    /// Colours that differ clearly and are more than a speck.
    pub(crate) fn colours(&self, part: [usize; 4]) -> usize {
        let mut seen = BTreeMap::<[u8; 3], usize>::new();
        for pixel in self.part(part) {
            *seen.entry(pixel.map(|channel| channel >> 4)).or_default() += 1;
        }
        seen.values().filter(|count| **count >= 30).count()
    }

    /// From 0 to 255.
    pub(crate) fn brightness(&self, part: [usize; 4]) -> u64 {
        let (sum, count) = self.part(part).fold((0, 0), |(sum, count), pixel| {
            (sum + pixel.iter().map(|channel| u64::from(*channel)).sum::<u64>(), count + 3)
        });
        sum / count
    }
}

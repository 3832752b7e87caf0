//! `report.html`: one file that stands alone, and says what the report says.

use crate::predict::{relucert, text};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Saves a run and reads its page.
fn page(folder: &Path, arguments: &[&str]) -> String {
    let output = relucert(folder, &[arguments, &["--quiet", "--save", "out"]].concat());
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", text(&output.stderr));
    fs::read_to_string(folder.join("out/report.html")).unwrap()
}

/// Nothing in the page is fetched from anywhere.
fn assert_alone(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"), "{}", &page[..80]);
    assert!(page.contains("default-src 'none'"));
    for fetched in ["<script", "src=", "@import", "url(", "http://", "https://"] {
        assert!(!page.contains(fetched), "{fetched}");
    }
    for link in page.split("href=\"").skip(1) {
        assert!(link.starts_with("data:,\""), "{}", &link[..20]);
    }
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
}

/// The part of the page with this id.
fn part<'a>(page: &'a str, id: &str) -> &'a str {
    let (_, rest) = page
        .split_once(&format!("<section id=\"{id}\""))
        .or_else(|| page.split_once(&format!("<section class=\"wide\" id=\"{id}\"")))
        .unwrap_or_else(|| panic!("no section {id}"));
    rest.split("</section>").next().unwrap()
}

#[test]
fn a_classification_has_its_confusion_and_the_figures_of_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let page =
        page(folder.path(), &["certify", "iris", "--gamma", "5", "--standardize", "--bias", "--seed", "4"]);
    assert_alone(&page);
    let report: relucert::Report =
        serde_json::from_slice(&fs::read(folder.path().join("out/report.json")).unwrap()).unwrap();
    for figure in [report.lower_bound.to_string(), report.upper_bound.to_string(), report.gap.to_string()] {
        assert!(part(&page, "bounds").contains(&figure), "{figure}");
    }
    assert_eq!(part(&page, "predictions").matches("<td").count(), 1 + 9, "a corner and three by three");
    let asked = part(&page, "asked");
    for said in [
        "<span>--seed</span> <span>4</span>",
        "γ = 5",
        "petal_width",
        "standardised",
        "9cc1c345c71b",
        "setosa, versicolor",
    ] {
        assert!(asked.contains(said), "{said}");
    }
    assert_eq!(part(&page, "network").matches("<tr>").count(), 1 + report.network_width.min(15));
}

#[test]
fn one_and_two_features_are_drawn_with_the_neurons() {
    let folder = tempfile::tempdir().unwrap();
    let row = |i: usize| format!("{},{}\n", f64::from(i as u32) / 4.0, (i as f64 / 4.0 - 3.0).abs());
    fs::write(
        folder.path().join("a <b>.csv"),
        "x & x,y\n".to_owned() + &(0..25).map(row).collect::<String>(),
    )
    .unwrap();
    let line =
        page(folder.path(), &["certify", "a <b>.csv", "--task", "regression", "--gamma", "0.1", "--bias"]);
    assert_alone(&line);
    assert!(line.contains("a &lt;b&gt;.csv") && line.contains("x &amp; x") && !line.contains("a <b>"));
    let network = part(&line, "network");
    assert_eq!(network.matches("<circle").count(), 25, "the samples");
    assert!(network.contains("class=\"switch\""));
    assert!(part(&line, "predictions").matches("<circle").count() > 25);

    let other = tempfile::tempdir().unwrap();
    let spiral = relucert(other.path(), &["synth", "spiral", "--samples", "20", "--output", "s.csv"]);
    assert_eq!(spiral.status.code(), Some(0));
    let plane = page(other.path(), &["certify", "s.csv", "--gamma", "0.5", "--bias", "--time-limit", "3s"]);
    assert_alone(&plane);
    let network = part(&plane, "network");
    assert!(
        network.matches("<circle").count() >= 60 && network.contains("behind"),
        "tiles behind the samples"
    );
}

/// A browser without a window, where there is one.
fn browser() -> Option<&'static str> {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    names
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success()))
}

#[test]
fn a_browser_opens_it_without_a_message() {
    let Some(browser) = browser() else { return eprintln!("no headless browser: skipped") };
    let folder = tempfile::tempdir().unwrap();
    page(folder.path(), &["certify", "iris", "--gamma", "20", "--standardize", "--bias"]);
    let open = |name: &str| {
        let profile = tempfile::tempdir().unwrap();
        let output = Command::new(browser)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--enable-logging=stderr",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(["--virtual-time-budget=2000", "--dump-dom"])
            .arg(format!("file://{}", folder.path().join("out").join(name).display()))
            .output()
            .unwrap();
        (text(&output.stdout), text(&output.stderr))
    };
    let (shown, said) = open("report.html");
    assert!(shown.contains("What was found") && shown.contains("</html>"), "{shown}");
    let messages: Vec<&str> = said.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(messages.is_empty(), "{messages:?}");
    // A page that breaks the rule it sets itself does bring a message: the test sees them.
    let spoilt = fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    let spoilt = spoilt.replace("</main>", "<script>1</script></main>");
    fs::write(folder.path().join("out/spoilt.html"), spoilt).unwrap();
    assert!(open("spoilt.html").1.contains("CONSOLE"));
}

//! The page of the admin service in a real browser: a group as a person sees it start, change, stop and end.

mod browser;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use browser::Browser;
use programs::staged::Staged;
use serde_json::json;

const WATCHED: &str = env!("CARGO_BIN_EXE_watched");

/// The row of a service in the table, as an expression.
fn row_of(service: &str) -> String {
    format!(
        "[...document.querySelectorAll('tbody tr')].find(row => row.cells[0].firstChild.data.trim() == '{service}')"
    )
}

/// The text of that row.
fn row(browser: &mut Browser, service: &str) -> String {
    browser.value(&format!("{}?.textContent ?? 'nothing'", row_of(service))).as_str().unwrap_or_default().to_owned()
}

/// Waits until that row contains this.
#[track_caller]
fn row_shows(browser: &mut Browser, service: &str, text: &str) {
    browser.until(&format!("!!{}?.textContent.includes({text:?})", row_of(service)));
}

#[test]
fn a_whole_life_is_seen_as_it_happens() {
    let mut staged = Staged::start(WATCHED, "life", 0);
    let mut browser = Browser::start("life");
    browser.open(&format!("http://{}/", staged.address));
    browser.value("window.marked = 'the same page'");

    browser.shows("#head", "starting, not ready");
    row_shows(&mut browser, "database", "starting");
    row_shows(&mut browser, "cache", "waits for database");
    browser.shows("#head", "Now: database (starting for");
    staged.steps(["start-database"]);
    row_shows(&mut browser, "database", "ready");
    row_shows(&mut browser, "cache", "starting");
    assert!(!row(&mut browser, "cache").contains("database"), "it waits no longer");
    staged.steps(["start-cache", "start-mailer"]);
    browser.shows("#head", "running, ready");
    browser.shows("#count", "5 of 5 ready");

    let web = staged.program.address_of("web");
    let mut client = TcpStream::connect(web).expect("it listens");
    client.write_all(b"GET /slow HTTP/1.1\r\nhost: test\r\n\r\n").expect("it reads");
    row_shows(&mut browser, "web", "1 connection, 1 request in flight");

    staged.steps(["fail-cache"]);
    row_shows(&mut browser, "cache", "`cache` failed: <b>the line is dead</b>");
    browser.shows("#head", "running, not ready");
    staged.steps(["start-cache"]);
    row_shows(&mut browser, "cache", "1, the last");
    browser.shows("#head", "running, ready");

    staged.program.signal("TERM");
    browser.shows("#head", "Stop: SIGTERM");
    row_shows(&mut browser, "mailer", "stopping");
    row_shows(&mut browser, "web", "stopping");
    row_shows(&mut browser, "cache", "waits for mailer, web");
    row_shows(&mut browser, "database", "waits for cache");
    assert_eq!(browser.value("document.querySelector('progress').value > 0"), json!(true));
    staged.steps(["stop-mailer", "answer"]);
    row_shows(&mut browser, "mailer", "gone");
    row_shows(&mut browser, "web", "gone");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("it answers");
    assert!(answer.ends_with("answered"), "{answer}");
    row_shows(&mut browser, "cache", "stopping");
    assert!(row(&mut browser, "database").contains("ready"), "{}", row(&mut browser, "database"));
    staged.steps(["stop-cache"]);
    row_shows(&mut browser, "database", "stopping");
    assert_eq!(browser.text("#live"), "live");
    staged.steps(["stop-database"]);
    browser.shows("#live", "ended");
    browser.shows("#head", "Stopped cleanly, exit code 0");
    browser.shows("#head", "Why: SIGTERM");
    assert!(browser.text("#log").contains("mailer is gone"), "{}", browser.text("#log"));
    assert_eq!(browser.value("window.marked"), "the same page");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_end_names_what_has_failed() {
    let staged = Staged::started(WATCHED, "failure", 0);
    let mut browser = Browser::start("failure");
    browser.open(&format!("http://{}/", staged.address));
    browser.shows("#live", "live");
    staged.steps(["fail-mailer"]);
    browser.shows("#head", "Stop: `mailer` failed");
    staged.steps(["stop-cache", "stop-database"]);
    browser.shows("#live", "ended");
    browser.shows("#head", "Stopped after a failure, exit code 1");
    browser.shows("#head", "First cause: `mailer` failed: <b>the line is dead</b>");
}

#[test]
fn without_scripts_all_of_it_can_be_read() {
    let staged = Staged::started(WATCHED, "plain", 0);
    let mut browser = Browser::start("plain");
    browser.without_scripts();
    browser.open(&format!("http://{}/", staged.address));
    browser.shows("#head", "running, ready");
    for service in ["group-admin", "database", "cache", "mailer", "web"] {
        assert!(row(&mut browser, service).contains("ready"), "{service}");
    }
    assert!(browser.text("#log").contains("every service is ready"), "{}", browser.text("#log"));
    assert!(browser.text("#live").starts_with("Reload"));
    assert!(browser.text("header .facts").contains("up "));
    assert_eq!(browser.value("document.querySelectorAll('svg.picture').length"), 2);
    assert_eq!(browser.value("!!document.querySelector('[data-since]').innerText"), true);
}

#[test]
fn it_fits_a_phone_and_is_dark_where_the_user_wants_it() {
    let staged = Staged::started(WATCHED, "phone", 30);
    let mut browser = Browser::start("phone");
    for width in [320, 390, 768, 1280] {
        browser.resize(width, 800);
        browser.open(&format!("http://{}/", staged.address));
        browser.shows("#live", "live");
        let seen = browser.value("[document.documentElement.scrollWidth, innerWidth]");
        assert!(seen[0].as_u64() <= seen[1].as_u64(), "{width}: {seen}");
        // On a phone, what is said of a service stands below its name; else, beside it.
        let below = browser.value(
            "[...document.querySelectorAll('tbody td:not(.state):not(:empty)')].map(cell => \
             cell.getBoundingClientRect().top >= cell.parentNode.cells[0].getBoundingClientRect().bottom - 1)",
        );
        let below = below.as_array().unwrap();
        assert!(!below.is_empty() && below.iter().all(|is| *is == (width < 700)), "{width}: {below:?}");
    }
    let colours = "getComputedStyle(document.documentElement).backgroundColor + ' ' + \
                   getComputedStyle(document.querySelector('svg.picture text')).fill";
    let light = browser.value(colours);
    browser.prefer("prefers-color-scheme", "dark");
    let dark = browser.value(colours);
    assert_eq!(
        (light, dark),
        ("rgb(255, 255, 255) rgb(102, 112, 133)".into(), "rgb(18, 22, 29) rgb(152, 162, 179)".into())
    );
}

#[test]
fn it_is_used_by_keyboard_and_keeps_the_focus_when_it_changes() {
    let staged = Staged::started(WATCHED, "keys", 0);
    let mut browser = Browser::start("keys");
    browser.open(&format!("http://{}/", staged.address));
    browser.shows("#live", "live");
    browser.press("Tab");
    assert_eq!(browser.value("document.activeElement.innerText"), "Skip to the services");
    browser.press("Enter");
    browser.until("document.activeElement.id == 'services'");
    browser.until(
        "document.activeElement.matches('.picture a[href=\"#service-0\"]') || \
                   (document.querySelector('.picture a[href=\"#service-2\"]').focus(), true)",
    );
    staged.steps(["fail-cache"]);
    row_shows(&mut browser, "cache", "`cache` failed");
    assert_eq!(browser.value("document.activeElement.getAttribute('href')"), "#service-2");
    browser.press("Enter");
    browser.until("document.querySelector(':target').cells[0].firstChild.data == 'cache'");
}

#[test]
fn nothing_moves_where_the_user_does_not_want_it() {
    let staged = Staged::started(WATCHED, "still", 0);
    let mut browser = Browser::start("still");
    for (preference, animation) in [("no-preference", "new"), ("reduce", "none")] {
        browser.prefer("prefers-reduced-motion", preference);
        browser.open(&format!("http://{}/", staged.address));
        browser.shows("#live", "live");
        staged.steps(["fail-cache"]);
        browser.until("!!document.querySelector('tr.new')");
        let style = browser.value("getComputedStyle(document.querySelector('tr.new')).animationName");
        assert_eq!(style, animation);
        staged.steps(["start-cache"]);
        browser.shows("#head", "running, ready");
    }
}

/// The pairs of elements that lie over one another, at most five of them.
fn overlaps(browser: &mut Browser, selector: &str) -> String {
    let found = browser.value(&format!(
        "(() => {{
            const all = [...document.querySelectorAll({selector:?})].map(one => [one, one.getBoundingClientRect()]);
            const found = [];
            for (const [a, one] of all) for (const [b, other] of all) {{
                const apart = one.right <= other.left || other.right <= one.left
                    || one.bottom <= other.top || other.bottom <= one.top;
                if (a !== b && !apart) found.push(a.textContent + ' / ' + b.textContent);
            }}
            return [all.length, found.slice(0, 5).join('; ')];
        }})()"
    ));
    assert!(found[0].as_u64() >= Some(300), "{selector}: {found}");
    found[1].as_str().unwrap_or_default().to_owned()
}

#[test]
fn three_hundred_services_can_be_read() {
    let staged = Staged::started(WATCHED, "crowd", 300);
    let mut browser = Browser::start("crowd");
    browser.open(&format!("http://{}/", staged.address));
    browser.shows("#live", "live");
    for labels in ["[id^=node-] .box", "#bars .name"] {
        assert_eq!(overlaps(&mut browser, labels), "", "{labels}");
    }
    let smallest = "Math.min(...[...document.querySelectorAll('svg.picture text')].map(one => one.getBoundingClientRect().height))";
    assert!(browser.value(smallest).as_f64() > Some(9.0), "{}", browser.value(smallest));
    // No name is cut by its box.
    let cut = "[...document.querySelectorAll('[id^=node-]')].filter(node => node.querySelector('text').getBBox().width + 26 \
               > node.querySelector('.box').getBBox().width).length";
    assert_eq!(browser.value(cut), 0);
    staged.program.signal("TERM");
    staged.steps(["stop-mailer", "stop-cache", "stop-database"]);
    browser.shows("#live", "ended");
    browser.shows("#count", "304 of 305 gone");
    assert_eq!(browser.complaints(), [""; 0]);
}

//! The events of a group as they happen, for programs and for the page. A reader that is slow or leaves costs the group
//! nothing: the stream is asked for its next part only when the last one is sent, and the group's events wait in a list
//! that has an end.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::time::Duration;

use axum::extract::{Extension, RawQuery, State};
use axum::response::sse::{Event as Told, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use futures_util::stream::unfold;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use tokio::time::{Instant, timeout};

use crate::admin::page::{Part, View};
use crate::record::event::{Event, Events};
use crate::record::state::Phase;
use crate::record::status::Status;
use crate::running::handle::Handle;
use crate::service::shutdown::Shutdown;

/// The page looks this often for what makes no events: connections, requests, bars that grow.
const LOOK: Duration = Duration::from_secs(1);

/// Events that come so close together are one change of the page.
const TOGETHER: Duration = Duration::from_millis(120);

/// A line is sent after so much silence, so that neither a proxy nor the client takes the connection for dead.
const SILENCE: Duration = Duration::from_secs(15);

/// Answers with the events, from now on. With `?page` they are the changes of the page.
///
/// The first event has the status as it is. The last one, `end`, comes when no other service is left, or everything is over.
pub(super) async fn events(
    State(group): State<Handle>,
    RawQuery(query): RawQuery,
    shutdown: Option<Extension<Shutdown>>,
) -> Response {
    let form = if query.as_deref() == Some("page") { Form::Page(Page::default()) } else { Form::Plain };
    let teller = Teller {
        events: group.events(),
        group,
        shutdown: shutdown.map(|Extension(shutdown)| shutdown),
        form,
        to_tell: VecDeque::new(),
        has_begun: false,
        is_over: false,
    };
    let told = unfold(teller, |mut teller| async move { Some((teller.next().await?, teller)) });
    Sse::new(told).keep_alive(KeepAlive::new().interval(SILENCE)).into_response()
}

/// The form of the events for a reader.
enum Form {
    /// Each event.
    Plain,
    /// The parts of the page that have changed.
    Page(Page),
}

/// The page that a reader has.
#[derive(Default)]
struct Page {
    parts: HashMap<String, String>,
    /// The sections that are to be looked at, the most important first: at the end there may be little time. One at a
    /// time is rendered, so that the end can come between.
    due: VecDeque<Section>,
    /// When the timeline was last looked at.
    bars: Option<Instant>,
    /// Nothing changes any more.
    is_last: bool,
}

#[derive(Clone, Copy)]
enum Section {
    Heads,
    Services,
    Bars,
}

impl Page {
    /// Something may have changed.
    fn look(&mut self) {
        self.due.extend([Section::Heads, Section::Services]);
        if self.bars.is_none_or(|looked| looked.elapsed() >= LOOK) {
            self.bars = Some(Instant::now());
            self.due.push_back(Section::Bars);
        }
    }

    /// All is over, and all of it is to be shown once more.
    fn look_last(&mut self) {
        if !std::mem::replace(&mut self.is_last, true) {
            self.due = VecDeque::from([Section::Heads, Section::Services, Section::Bars]);
        }
    }

    /// The parts of a section that the page lacks.
    fn changes(&mut self, section: Section, view: &View<'_>) -> Vec<Part> {
        let mut parts = match section {
            Section::Heads => view.heads(),
            Section::Services => view.services(),
            Section::Bars => view.bars(),
        };
        parts.retain(|part| self.is_news(part));
        parts
    }

    /// Takes a part, if it is not what the page has.
    fn is_news(&mut self, (id, html): &Part) -> bool {
        if self.parts.get(id) == Some(html) {
            return false;
        }
        self.parts.insert(id.clone(), html.clone());
        true
    }
}

/// One reader's stream.
struct Teller {
    group: Handle,
    events: Events,
    /// That of the service that answers. It is asked to stop when all that come after it are gone.
    shutdown: Option<Shutdown>,
    form: Form,
    to_tell: VecDeque<Result<Told, axum::Error>>,
    has_begun: bool,
    is_over: bool,
}

impl Teller {
    async fn next(&mut self) -> Option<Result<Told, axum::Error>> {
        while self.to_tell.is_empty() && !self.is_over {
            match self.form {
                Form::Plain => self.wait_for_event().await,
                Form::Page(_) => self.show_more().await,
            }
        }
        self.to_tell.pop_front()
    }

    fn tell(&mut self, kind: &str, data: &impl Serialize) {
        self.to_tell.push_back(Told::default().event(kind).json_data(data));
    }

    fn end(&mut self, status: &Status) {
        self.is_over = true;
        self.tell("end", status);
    }

    async fn wait_for_event(&mut self) {
        if !std::mem::replace(&mut self.has_begun, true) {
            let status = self.group.status();
            return self.tell("status", &status);
        }
        let event = tokio::select! {
            biased;
            event = self.events.recv() => event,
            () = asked_to_stop(self.shutdown.as_ref()) => None,
        };
        match event {
            Some(event) => self.tell(event.kind(), &event),
            None => self.end(&self.group.status()),
        }
    }

    /// Shows the next section of the page; waits for a change first, if there is none.
    async fn show_more(&mut self) {
        if matches!(&self.form, Form::Page(page) if page.due.is_empty()) {
            self.wait_for_change().await;
        }
        let is_asked = asked_to_stop(self.shutdown.as_ref()).now_or_never().is_some();
        let status = self.group.status();
        let Form::Page(page) = &mut self.form else { return };
        if is_asked || status.phase() == Phase::Stopped {
            page.look_last();
        }
        let Some(section) = page.due.pop_front() else { return };
        let view = View::live(&status, page.is_last);
        let (parts, is_over) = (page.changes(section, &view), page.is_last);
        let is_end = is_over && page.due.is_empty();
        if !parts.is_empty() {
            self.tell("page", &News { uptime: status.uptime(), title: view.title(), is_over, parts });
        }
        if is_end {
            self.end(&status);
        }
    }

    /// Waits until something may have changed.
    async fn wait_for_change(&mut self) {
        if std::mem::replace(&mut self.has_begun, true) {
            let shutdown = self.shutdown.as_ref();
            tokio::select! {
                biased;
                () = asked_to_stop(shutdown) => {}
                event = timeout(LOOK, self.events.recv()) => {
                    // Not after the last event: the end is told at once.
                    if matches!(event, Ok(Some(ref event)) if *event != Event::GroupStopped) {
                        // An error is the end of that time.
                        let _ = timeout(TOGETHER, asked_to_stop(shutdown)).await;
                    }
                }
            }
            while let Some(Some(_)) = self.events.recv().now_or_never() {}
        }
        if let Form::Page(page) = &mut self.form {
            page.look();
        }
    }
}

/// Waits until the service that answers is asked to stop. Where no service of a group answers, for ever.
async fn asked_to_stop(shutdown: Option<&Shutdown>) {
    match shutdown {
        Some(shutdown) => shutdown.requested().await,
        None => pending().await,
    }
}

/// The changes of the page.
struct News {
    uptime: Duration,
    title: String,
    is_over: bool,
    parts: Vec<Part>,
}

impl Serialize for News {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut news = serializer.serialize_struct("News", 4)?;
        news.serialize_field("uptime", &self.uptime.as_secs_f64())?;
        news.serialize_field("title", &self.title)?;
        news.serialize_field("over", &self.is_over)?;
        news.serialize_field("parts", &self.parts)?;
        news.end()
    }
}

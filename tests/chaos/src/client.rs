//! One client: the real engine, driven on tokio as the browser's driver does it, a database that
//! outlives its pages, and a user who does what they are told.

mod link;
mod page;
mod socket;
mod storage;
mod stream;

use std::collections::BTreeMap;
use std::future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use rejoinder::engine::{AppInput, ConnectionState, Input, PartnerPresence, SyncState};
use rejoinder_protocol::ThreadId;
use rejoinder_simulation::world::disk::Disk;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::clock;
use crate::figures::Counts;
use crate::ledger::Ledger;
use crate::people::Device;
use crate::view::{Kept, Shown, View};
use page::Page;
use storage::{SharedDisk, lock};

/// A client that does not answer by then hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// A page that is to crash does so in the middle of sending: so long at most, in milliseconds, after
/// its user has written …
const WRITING_MS_MAX: u64 = 60;
/// … or after so long, if they write nothing.
const CRASH_TIMEOUT: Duration = Duration::from_millis(600);

/// What is around a client.
pub(crate) struct Around {
    /// Who and where it is.
    pub(crate) device: Device,
    /// The port of loopback on which its network begins.
    pub(crate) port: u16,
    /// Its user's.
    pub(crate) token: String,
    /// Where everything is noted that users ask for.
    pub(crate) ledger: Arc<Ledger>,
    /// What is counted.
    pub(crate) counts: Arc<Counts>,
}

/// What a client is told to do.
enum Order {
    Ask(AppInput),
    ComeBack,
    Hurry,
    Crash { loses_power: bool, down: Duration },
    Tell(oneshot::Sender<Progress>),
    Show(oneshot::Sender<View>),
}

/// How far a client is; cheap to ask for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// What keeps it from being quiet.
    pub(crate) busy: Option<String>,
    /// Who is shown as somebody who is not here, or as writing.
    pub(crate) misjudged: Option<String>,
    /// The newest message of each thread that is live.
    pub(crate) newest: BTreeMap<ThreadId, u64>,
}

/// One client, which ends when this is dropped.
pub(crate) struct Client {
    orders: UnboundedSender<Order>,
    task: AbortHandle,
}

impl Client {
    /// Opens its first page.
    pub(crate) fn open(around: Around, seed: u64) -> Self {
        let (orders, queue) = unbounded_channel();
        let task = tokio::spawn(live(Arc::new(around), queue, Rng::with_seed(seed)));
        Self {
            orders,
            task: task.abort_handle(),
        }
    }

    /// Its user does something, if there is a page.
    pub(crate) fn ask(&self, input: AppInput) {
        self.order(Order::Ask(input));
    }

    /// Its network is back, and its user wants to see everything.
    pub(crate) fn come_back(&self) {
        self.order(Order::ComeBack);
    }

    /// Its user does not want to wait for the next attempt.
    pub(crate) fn hurry(&self) {
        self.order(Order::Hurry);
    }

    /// Its page ends without warning as soon as its user has written something, and another is opened
    /// after so long.
    pub(crate) fn crash(&self, loses_power: bool, down: Duration) {
        self.order(Order::Crash { loses_power, down });
    }

    /// Returns how far it is; nothing, if it is dead.
    pub(crate) async fn progress(&self) -> Option<Progress> {
        self.question(Order::Tell).await
    }

    /// Returns all that it shows and has stored; nothing, if it is dead.
    pub(crate) async fn view(&self) -> Option<View> {
        self.question(Order::Show).await
    }

    fn order(&self, order: Order) {
        // A client that is dead shows when it is asked something.
        let _ = self.orders.send(order);
    }

    async fn question<T>(&self, order: fn(oneshot::Sender<T>) -> Order) -> Option<T> {
        let (sender, answer) = oneshot::channel();
        self.order(order(sender));
        timeout(ANSWER_TIMEOUT, answer).await.ok()?.ok()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One page after another, until nobody has orders any more.
async fn live(around: Arc<Around>, mut orders: UnboundedReceiver<Order>, mut rng: Rng) {
    let disk = SharedDisk::default();
    loop {
        let mut page = Page::open(Arc::clone(&around), Arc::clone(&disk), rng.u64(..));
        let Some((loses_power, down)) = run(&mut page, &mut orders, &around, &disk, &mut rng).await
        else {
            return;
        };
        page.crash().await;
        around.counts.crashes.add(1);
        around.ledger.crashed(around.device.number);
        if loses_power {
            lock(&disk).lose_power(&mut rng);
        }
        sleep(down).await;
    }
}

/// Runs a page until it crashes. Told to, it does so right after its user has written something, when
/// there is most to lose.
async fn run(
    page: &mut Page,
    orders: &mut UnboundedReceiver<Order>,
    around: &Around,
    disk: &Mutex<Disk>,
    rng: &mut Rng,
) -> Option<(bool, Duration)> {
    let mut crash: Option<(Instant, bool, Duration)> = None;
    loop {
        let wakes_at = page.wakes_at();
        tokio::select! {
            order = orders.recv() => match order? {
                Order::Ask(input) => {
                    if let (AppInput::Send { .. }, Some((at, ..))) = (&input, &mut crash) {
                        let soon = Duration::from_millis(rng.u64(0..=WRITING_MS_MAX));
                        *at = (Instant::now() + soon).min(*at);
                    }
                    page.ask(input);
                }
                Order::ComeBack => page.come_back(),
                Order::Hurry => page.hurry(),
                Order::Crash { loses_power, down } => {
                    crash = Some((Instant::now() + CRASH_TIMEOUT, loses_power, down));
                }
                Order::Tell(answer) => {
                    let mut progress = progress(page, around, disk);
                    if crash.is_some() {
                        progress.busy = Some("has not crashed yet".to_owned());
                    }
                    let _ = answer.send(progress);
                }
                Order::Show(answer) => {
                    let _ = answer.send(view(page, around, disk));
                }
            },
            Some(input) = page.inputs.recv() => page.feed(input),
            () = at(wakes_at) => page.feed(Input::Woke),
            () = at(crash.map(|(at, ..)| at)) => {
                return crash.map(|(_, loses_power, down)| (loses_power, down));
            }
        }
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => future::pending().await,
    }
}

fn progress(page: &Page, around: &Around, disk: &Mutex<Disk>) -> Progress {
    let mut progress = Progress::default();
    let state = page.screen.state();
    if state != Some(ConnectionState::Connected) {
        progress.busy = Some(format!("is {:?}", page.screen.connection));
    }
    if let Some(row) = page.screen.waiting().next() {
        progress.busy = Some(format!("waits with {row:?}"));
    }
    // A row goes with the change of its message, which may come after its ack.
    if page.storage.waiting > 0 || !lock(disk).outbox_rows().is_empty() {
        progress.busy = Some("has not stored everything".to_owned());
    }
    for thread_id in &around.device.threads {
        let timeline = page.screen.threads.get(thread_id);
        let meta = timeline.and_then(|timeline| timeline.meta.as_ref());
        let mut partners = meta.into_iter().flat_map(|meta| &meta.partners);
        if let Some(one) =
            partners.find(|one| one.is_typing || one.presence != PartnerPresence::Online)
        {
            progress.misjudged = Some(format!("shows {one:?} in {thread_id}"));
        }
        let is_live = meta.is_some_and(|meta| {
            meta.is_loaded
                && !meta.has_gap
                && !meta.is_loading_older
                && meta.sync_state == SyncState::Live
        });
        let rows = timeline.into_iter().flat_map(|timeline| timeline.rows());
        let places = rows.filter_map(|row| row.sequence_number).map(u64::from);
        let places: Vec<u64> = places.collect();
        // One that was acknowledged stands at the end already, those before it may be on their way.
        let is_dense = places
            .iter()
            .zip(places.iter().skip(1))
            .all(|(one, next)| one + 1 == *next);
        if is_live && is_dense {
            let newest = places.last().copied().unwrap_or_default();
            progress.newest.insert(thread_id.clone(), newest);
        } else {
            progress.busy = Some(format!(
                "is not live in {thread_id}: {meta:?}, has {places:?}"
            ));
        }
    }
    progress
}

fn view(page: &Page, around: &Around, disk: &Mutex<Disk>) -> View {
    let threads = page.screen.threads.iter().map(|(thread_id, timeline)| {
        let shown = Shown {
            rows: timeline.rows().cloned().collect(),
            has_older: timeline.meta.as_ref().is_some_and(|meta| meta.has_older),
        };
        (thread_id.clone(), shown)
    });
    let disk = lock(disk);
    let kept = disk.threads().into_iter().map(|(thread_id, stored)| {
        let kept = Kept {
            revision: stored.cursor.revision.get(),
            messages: stored.messages,
        };
        (thread_id, kept)
    });
    View {
        device: around.device.number,
        user_id: around.device.user_id.clone(),
        due: around.device.threads.clone(),
        threads: threads.collect(),
        kept: kept.collect(),
        waiting: disk
            .load_outbox()
            .entries
            .into_iter()
            .map(|(_, row)| row)
            .collect(),
    }
}

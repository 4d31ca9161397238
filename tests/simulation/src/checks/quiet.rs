//! What must hold once everything is mended and time has passed.

use rejoinder::engine::{ConnectionState, Delivery, DiscardOutcome, PartnerPresence, Row};
use rejoinder_protocol::{Message, ThreadId};

use crate::invariant::Invariant;
use crate::ledger::Sent;
use crate::truth::{Key, ThreadTruth};
use crate::world::World;

impl World {
    fn open_pages(&self) -> Vec<usize> {
        (0..self.pages.len())
            .filter(|page| self.pages[*page].is_open)
            .collect()
    }

    /// Everybody is connected.
    pub fn check_connected(&mut self) {
        for page in self.open_pages() {
            let one = &self.pages[page];
            let state = one.screen.state();
            if one.wants_connection && state != Some(ConnectionState::Connected) {
                let detail = format!("page {page} is {state:?}: {:?}", one.screen.connection);
                self.fail(Invariant::EverybodyConnects, || detail);
            }
        }
    }

    /// Nothing waits, and everybody sees what the store holds.
    pub fn check_quiet(&mut self) {
        for page in self.open_pages() {
            if self.pages[page].screen.inbox_is_current == Some(false) {
                let detail = format!("page {page} waits for its list of threads");
                self.fail(Invariant::NothingWaits, || detail);
            }
            for thread_id in self.threads_of(self.pages[page].device) {
                self.check_waiting(page, &thread_id);
                self.check_timeline(page, &thread_id);
                self.check_partners(page, &thread_id);
            }
        }
        for device in 0..self.devices.len() {
            self.check_disk(device);
            self.check_cache(device);
        }
    }

    /// What is stored has followed what is shown.
    fn check_cache(&mut self, device: usize) {
        let one = &self.devices[device];
        let is_open = self
            .open_pages()
            .iter()
            .any(|page| self.pages[*page].device == device);
        if one.has_failed_write || !one.lame_pages.is_empty() || !is_open {
            return;
        }
        let epoch = self.records.epoch().clone();
        for (thread_id, stored) in one.disk.threads() {
            // A page that ends before its storage has done so is not told again, and another tab
            // may write what it had heard before.
            let is_due = |(page, is_deleted): &(usize, bool)| {
                let page = &self.pages[*page];
                (*is_deleted || page.is_open) && self.has_one_tab(device, page.tab)
            };
            let is_heard = one.removed.get(&thread_id).is_some_and(is_due);
            let thread = self.truth().threads.get(&thread_id);
            let is_member =
                |thread: &&ThreadTruth| thread.is_member_at(&one.user_id, thread.head());
            let is_out = thread.filter(is_member).is_none();
            if is_heard && is_out && self.truths.len() == 1 {
                let detail = format!("device {device} still stores {thread_id}");
                return self.fail(Invariant::RemovedForgets, || detail);
            }
            let Some(thread) = thread.filter(is_member) else {
                continue;
            };
            let (head, stored) = (
                thread.head(),
                (stored.cursor.epoch, stored.cursor.revision.get()),
            );
            if stored != (epoch.clone(), head) {
                let detail =
                    format!("device {device} stores {thread_id} up to {stored:?} of {head}");
                return self.fail(Invariant::CacheFollows, || detail);
            }
        }
    }

    fn check_waiting(&mut self, page: usize, thread_id: &ThreadId) {
        let timeline = self.pages[page].screen.threads.get(thread_id);
        let rows = timeline.into_iter().flat_map(|timeline| timeline.rows());
        let waiting = rows.filter(|row| row.delivery != Delivery::Sent);
        let details: Vec<_> = waiting
            .map(|row| format!("page {page} still shows {row:?}"))
            .collect();
        if let Some(detail) = details.into_iter().next() {
            self.fail(Invariant::NothingWaits, || detail);
        }
    }

    fn check_timeline(&mut self, page: usize, thread_id: &ThreadId) {
        let one = &self.pages[page];
        let empty = ThreadTruth::default();
        let thread = self.truth().threads.get(thread_id).unwrap_or(&empty);
        let is_member = thread.is_member_at(&one.user_id, thread.head());
        let Some(timeline) = one.screen.threads.get(thread_id) else {
            let detail = format!("page {page} shows nothing of {thread_id}");
            return self.fail(Invariant::Convergence, || detail);
        };
        let meta = timeline.meta.clone();
        if !is_member {
            // Whoever was removed sees that, and perhaps what they had.
            return;
        }
        let shown: Vec<&Row> = timeline.rows().collect();
        let expected = thread.messages.iter().rev().take(shown.len());
        let expected: Vec<&Message> = expected.collect::<Vec<_>>().into_iter().rev().collect();
        let is_same = shown.len() == expected.len()
            && shown
                .iter()
                .zip(&expected)
                .all(|(row, message)| is_shown_as(row, message));
        let has_older = meta.as_ref().is_some_and(|meta| meta.has_older);
        let is_all = shown.len() == thread.messages.len();
        let has_gap = meta.as_ref().is_none_or(|meta| meta.has_gap);
        if !is_same || has_older == is_all || has_gap {
            let brief = |row: &&Row| (row.sequence_number, row.body.clone(), row.is_deleted);
            let shown: Vec<_> = shown.iter().map(brief).collect();
            let brief = |message: &&Message| (message.sequence_number, message.body.clone());
            let expected: Vec<_> = expected.iter().map(brief).collect();
            let detail = format!(
                "page {page} shows {shown:?} of {thread_id}, has_older {has_older}, gap {has_gap}; \
                 the store ends with {expected:?} of {}",
                thread.messages.len()
            );
            self.fail(Invariant::Convergence, || detail);
        }
    }

    fn check_partners(&mut self, page: usize, thread_id: &ThreadId) {
        let user_id = &self.pages[page].user_id;
        if !self.truth().is_member(thread_id, user_id) {
            return;
        }
        let meta = self.pages[page]
            .screen
            .threads
            .get(thread_id)
            .and_then(|one| one.meta.clone());
        for partner in meta.into_iter().flat_map(|meta| meta.partners) {
            if partner.is_typing {
                let detail = format!("page {page} shows {} writing", partner.user_id);
                self.fail(Invariant::TypingEnds, || detail);
            }
            let is_connected = |page: &usize| {
                let one = &self.pages[*page];
                let state = one.screen.state();
                one.user_id == partner.user_id && state == Some(ConnectionState::Connected)
            };
            let is_online = self.open_pages().iter().any(is_connected);
            let expected = if is_online {
                PartnerPresence::Online
            } else {
                PartnerPresence::Offline
            };
            if partner.presence != expected {
                let detail = format!(
                    "page {page} shows {} {:?}",
                    partner.user_id, partner.presence
                );
                self.fail(Invariant::PresenceIsTrue, || detail);
            }
        }
    }

    /// What users were told of their messages came true.
    pub fn check_fates(&mut self) {
        let mut calls = std::mem::take(&mut self.ledger.calls);
        for sent in &calls {
            self.check_fate(sent);
        }
        for (index, later) in calls.iter().enumerate() {
            for earlier in &calls[..index] {
                self.check_order(earlier, later, index);
            }
        }
        std::mem::swap(&mut self.ledger.calls, &mut calls);
    }

    fn check_fate(&mut self, sent: &Sent) {
        let name = sent.key_name();
        let key = self.truth().keys.get(&name);
        let is_stored = matches!(key, Some(Key::Stored { .. }));
        let was_ever = !self.fates(&name).is_empty();
        let is_gone = matches!(
            sent.outcome,
            Some(DiscardOutcome::Discarded | DiscardOutcome::Cancelled)
        );
        let (body, key) = (&sent.body, format!("{key:?}"));
        let lame = &self.devices[sent.device].lame_pages;
        let is_excused = sent.is_unusual
            || lame.iter().any(|page| Some(*page) != sent.told_by)
            // The backup may lack that the key is void.
            || sent.outcome == Some(DiscardOutcome::Cancelled) && self.truths.len() > 1;
        if is_gone && is_stored && !is_excused {
            let detail = format!("{body:?} was {:?}, and is stored", sent.outcome);
            return self.fail(Invariant::DiscardsAreTrue, || detail);
        }
        let is_excused = sent.is_forgotten
            || sent.is_unusual
            || sent.is_discarded
            || sent.has_failed
            || was_ever && self.truths.len() > 1;
        if sent.is_safe() && !is_stored && !is_excused {
            let detail = format!("{body:?} was called safe, and its key is {key}");
            self.fail(Invariant::SafeIsSafe, || detail);
        }
        let page = &self.pages[sent.page];
        if sent.answer.is_none() && page.is_open {
            let detail = format!("{body:?} was never answered");
            self.fail(Invariant::AnsweredOnce, || detail);
        }
    }

    /// Whether a device only ever had this tab.
    fn has_one_tab(&self, device: usize, tab: usize) -> bool {
        let mut pages = self.pages.iter().filter(|page| page.device == device);
        pages.all(|page| page.tab == tab)
    }

    fn check_order(&mut self, earlier: &Sent, later: &Sent, index: usize) {
        let is_one_queue = earlier.device == later.device && earlier.thread_id == later.thread_id;
        let is_odd = |sent: &Sent| sent.is_unusual || sent.has_failed || sent.is_discarded;
        // A database that was thrown away under open tabs numbers its rows anew.
        let device = earlier.device;
        let is_forgetful = self.devices[device].has_forgotten;
        // Other tabs do not know of a message that only this page holds; its user was told
        // "memory". Nor does the next page of its tab.
        let is_before = if earlier.page == later.page {
            let is_alone = self.has_one_tab(earlier.device, self.pages[earlier.page].tab);
            earlier.is_safe() || (is_alone && !earlier.is_orphan)
        } else {
            earlier.safe_since.is_some_and(|since| since <= index) && later.is_safe()
        };
        // What a restored backup lacks is sent again by whoever still has it, whenever that is.
        let is_restored = self.truths.len() > 1;
        if !is_one_queue
            || !is_before
            || is_odd(earlier)
            || is_odd(later)
            || is_restored
            || is_forgetful
        {
            return;
        }
        let place = |sent: &Sent| {
            let name = sent.key_name();
            match self.truth().keys.get(&name) {
                Some(Key::Stored { ack, body }) if *body == sent.body => {
                    Some(ack.sequence_number.get())
                }
                _ => None,
            }
        };
        if let (Some(first), Some(second)) = (place(earlier), place(later))
            && first > second
        {
            let detail = format!(
                "{:?} at {first}, {:?} at {second}",
                earlier.body, later.body
            );
            self.fail(Invariant::OrderOfSending, || detail);
        }
    }
}

fn is_shown_as(row: &Row, message: &Message) -> bool {
    row.sequence_number == Some(message.sequence_number)
        && row.server_msg_id.as_ref() == Some(&message.server_msg_id)
        && row.client_msg_id == message.client_msg_id
        && row.sender_id == message.sender_id
        && row.body == message.body
        && row.attachments == message.attachments
        && row.sent_at == message.sent_at
        && row.edited_at == message.edited_at
        && row.is_deleted == message.deleted
        && row.delivery == Delivery::Sent
}

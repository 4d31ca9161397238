//! Who is there: users, their devices, and the threads that they share.

use rejoinder_protocol::{ThreadId, UserId};

/// One client.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    /// Which of them.
    pub(crate) number: usize,
    /// Whose.
    pub(crate) user_id: UserId,
    /// What its user takes part in.
    pub(crate) threads: Vec<ThreadId>,
    /// Whether the network around it lets WebSockets through.
    pub(crate) has_sockets: bool,
}

/// Everybody.
#[derive(Debug)]
pub(crate) struct People {
    pub(crate) devices: Vec<Device>,
    /// Every thread, with who takes part.
    pub(crate) threads: Vec<(ThreadId, Vec<UserId>)>,
}

impl People {
    /// So many clients: every fifth is a second device. Users sit in a circle, each with a thread
    /// for each neighbour, and one thread is everybody's.
    pub(crate) fn new(clients: usize) -> Self {
        let count = clients - clients / 5;
        let users: Vec<UserId> = (0..count).map(|number| id(&format!("u{number}"))).collect();
        let mut threads = vec![(id::<ThreadId>("all"), users.clone())];
        let neighbours = users.iter().cycle().skip(1);
        for (one, other) in users.iter().zip(neighbours) {
            let thread_id = id(&format!("{one}-{other}"));
            threads.push((thread_id, vec![one.clone(), other.clone()]));
        }
        let owners = users.iter().cycle().take(clients).enumerate();
        let devices = owners.map(|(number, user_id)| Device {
            number,
            user_id: user_id.clone(),
            threads: threads_of(&threads, user_id),
            has_sockets: number % 5 != 3,
        });
        Self {
            devices: devices.collect(),
            threads,
        }
    }
}

fn threads_of(threads: &[(ThreadId, Vec<UserId>)], user_id: &UserId) -> Vec<ThreadId> {
    let own = threads.iter().filter(|(_, all)| all.contains(user_id));
    own.map(|(thread_id, _)| thread_id.clone()).collect()
}

fn id<T: std::str::FromStr<Err = rejoinder_protocol::IdError>>(text: &str) -> T {
    text.parse().expect("letters and digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_clients_are_sixteen_people_with_pairs_and_one_group() {
        let people = People::new(20);
        assert_eq!((people.threads.len(), people.devices.len()), (17, 20));
        assert_eq!(people.threads[0].1.len(), 16);
        assert!(people.devices.iter().all(|one| one.threads.len() == 3));
        let twice = people.devices.iter().filter(|one| one.number >= 16);
        let twice: Vec<_> = twice.map(|one| one.user_id.as_str()).collect();
        assert_eq!(twice, ["u0", "u1", "u2", "u3"]);
        let barred = people.devices.iter().filter(|one| !one.has_sockets);
        assert_eq!(barred.count(), 4);
    }
}

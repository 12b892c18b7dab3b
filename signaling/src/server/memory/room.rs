mod apply;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::budget::Held;
use super::calls::OpenCalls;
use super::log::Log;
use super::member::{Member, Pushed};
use super::{MemorySeat, Shared};
use crate::server::Ended;
use crate::server::store::{Admission, Applied, Inbound, Join, JoinError, Resume, ResumeError};
use crate::wire::pb;
use crate::{LeftReason, LineageId, ParticipantId, SessionId};

/// One connection of one session of one participant. What does not name the newest is fenced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) participant: ParticipantId,
    pub(super) session: SessionId,
    pub(super) generation: u64,
}

/// A room. Its methods are what happens to it, each under the room's lock from beginning to end.
pub(super) struct Room {
    pub(super) name: String,
    /// It was forgotten: nobody may come in.
    pub(super) closed: bool,
    shared: Arc<Shared>,
    members: BTreeMap<ParticipantId, Member>,
    by_session: BTreeMap<SessionId, ParticipantId>,
    by_lineage: BTreeMap<LineageId, ParticipantId>,
    by_identity: BTreeMap<String, ParticipantId>,
    /// The bytes of a snapshot.
    state_bytes: usize,
    /// Sessions that lost their connection because they were slow, for the store to put into its queue.
    detached: Vec<Connection>,
}

impl Room {
    pub(super) fn new(name: String, shared: Arc<Shared>) -> Self {
        Self {
            name,
            closed: false,
            shared,
            members: BTreeMap::new(),
            by_session: BTreeMap::new(),
            by_lineage: BTreeMap::new(),
            by_identity: BTreeMap::new(),
            state_bytes: 0,
            detached: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The sessions that were detached by what just happened.
    pub(super) fn take_detached(&mut self) -> Vec<Connection> {
        std::mem::take(&mut self.detached)
    }

    pub(super) fn join(&mut self, join: &Join) -> Result<Admission<Connection>, JoinError> {
        match self.by_lineage.get(&join.lineage) {
            Some(&id) => self.rejoin(id, join),
            None => self.join_new(join),
        }
    }

    /// A new session for a participant that stays.
    fn rejoin(&mut self, id: ParticipantId, join: &Join) -> Result<Admission<Connection>, JoinError> {
        let session = self.shared.session_id();
        let log = Log::new(self.shared.log_id(), &self.shared.budget);
        let member = self.members.get_mut(&id).ok_or(JoinError::Forbidden)?;
        if member.subject != join.subject {
            return Err(JoinError::Forbidden);
        }
        let fenced = member.attach(join.outbox.clone());
        self.by_session.remove(&member.session);
        self.by_session.insert(session, id);
        member.session = session;
        member.log = log;
        member.generation = 1;
        member.oldest_token = 0;
        let unheard = join.previous.is_some() && join.previous == member.counted_anew_from;
        let known = !(join.was_elsewhere || unheard);
        member.counted_anew_from = join.previous.filter(|_| !known);
        if !known {
            member.client_seq = join.first_unacked.saturating_sub(1);
            member.rejections.clear();
        }
        // Their deliveries went with the log.
        member.rejections.iter_mut().for_each(|(seq, _)| *seq = 0);
        let mut admission = admission(member, known);
        admission.fenced = fenced;
        admission.snapshot = Some(self.snapshot());
        Ok(admission)
    }

    fn join_new(&mut self, join: &Join) -> Result<Admission<Connection>, JoinError> {
        let limits = &self.shared.limits;
        let mut id = self.shared.participant_id();
        while self.members.contains_key(&id) {
            id = self.shared.participant_id();
        }
        let participant = pb::Participant {
            id: id.0,
            identity: join.identity.clone(),
            name: join.name.clone(),
            metadata: join.metadata.clone(),
            attributes: join.attributes.clone(),
            states: Vec::new(),
        };
        let mut member = Member {
            participant,
            lineage: join.lineage,
            subject: join.subject.clone(),
            client_seq: join.first_unacked.saturating_sub(1),
            rejections: VecDeque::new(),
            session: self.shared.session_id(),
            counted_anew_from: join.previous,
            log: Log::new(self.shared.log_id(), &self.shared.budget),
            calls: OpenCalls::new(&self.shared.budget),
            held: Held::nothing(&self.shared.budget),
            generation: 1,
            oldest_token: 0,
            outbox: Some(join.outbox.clone()),
        };
        let replaced = self.by_identity.get(&join.identity).copied();
        let (others, bytes) = match replaced.and_then(|id| self.members.get(&id)) {
            Some(other) => (self.members.len() - 1, self.state_bytes - other.state_bytes()),
            None => (self.members.len(), self.state_bytes),
        };
        if others >= limits.max_participants || bytes + member.state_bytes() > limits.room_state_bytes {
            return Err(JoinError::RoomFull);
        }
        if !member.held.try_set(member.state_bytes()) {
            return Err(JoinError::NodeFull);
        }
        if replaced.is_none() {
            self.shared.open_session()?;
        } else {
            // The place of the one that goes is the place of the one that comes.
            self.shared.sessions.fetch_add(1, Ordering::Relaxed);
        }
        let fenced = replaced.and_then(|id| self.remove(id, LeftReason::Replaced));
        if let Some(fenced) = &fenced {
            fenced.end(Ended::Replaced);
        }
        self.broadcast(id, &self.shared.encode(pb::deliver::Event::ParticipantJoined(member.participant.clone())));
        self.state_bytes += member.state_bytes();
        self.by_session.insert(member.session, id);
        self.by_lineage.insert(member.lineage, id);
        self.by_identity.insert(member.participant.identity.clone(), id);
        let mut admission = admission(&member, false);
        self.members.insert(id, member);
        admission.fenced = fenced;
        admission.snapshot = Some(self.snapshot());
        Ok(admission)
    }

    pub(super) fn resume(&mut self, resume: &Resume) -> Result<Admission<Connection>, ResumeError> {
        let id = self.by_session.get(&resume.session).ok_or(ResumeError::UnknownSession)?;
        let member = self.members.get_mut(id).ok_or(ResumeError::UnknownSession)?;
        if member.lineage != resume.lineage
            || member.subject != resume.subject
            || !(member.oldest_token..=member.generation).contains(&resume.generation)
        {
            return Err(ResumeError::Fenced);
        }
        if member.log.id != resume.log || !member.log.reaches_back_to(resume.last_seen) {
            return Err(ResumeError::Gap);
        }
        member.acknowledge(resume.last_seen);
        // The token that was shown proves which Welcome the client has; older ones are of no use to it.
        member.oldest_token = resume.generation;
        let fenced = member.attach(resume.outbox.clone());
        let mut admission = admission(member, true);
        admission.fenced = fenced;
        admission.replay = member.log.replay();
        Ok(admission)
    }

    pub(super) fn apply(&mut self, at: &Connection, inbound: Inbound, now: Instant) -> Applied {
        let Some(member) = self.seated(at) else { return Applied::Fenced };
        member.heard();
        if inbound.ack > member.log.head() {
            return Applied::Nonsense;
        }
        member.acknowledge(inbound.ack);
        let Some(request) = inbound.request else { return Applied::UpTo(member.client_seq) };
        if inbound.seq == 0 {
            let upto = member.client_seq;
            self.execute(at.participant, 0, request, now);
            return Applied::UpTo(upto);
        }
        // After the last number there is none.
        let Some(due) = member.client_seq.checked_add(1) else { return Applied::OutOfStep(u64::MAX) };
        if inbound.seq < due {
            return Applied::UpTo(member.client_seq);
        }
        if inbound.seq > due {
            return Applied::OutOfStep(due);
        }
        member.client_seq = inbound.seq;
        self.execute(at.participant, inbound.seq, request, now);
        Applied::UpTo(inbound.seq)
    }

    /// The connection is gone. Whether it was the newest, and the session waits now.
    pub(super) fn detach(&mut self, at: &Connection) -> bool {
        self.seated(at).is_some_and(|member| member.outbox.take().is_some())
    }

    pub(super) fn leave(&mut self, at: &Connection, reason: LeftReason) {
        if self.seated(at).is_some() {
            self.remove(at.participant, reason);
        }
    }

    /// Ends the session if it still waits for what came after this connection.
    pub(super) fn time_out(&mut self, at: &Connection) -> bool {
        let waits = self.newest(at).is_some_and(|member| member.outbox.is_none());
        if waits {
            self.remove(at.participant, LeftReason::TimedOut);
        }
        waits
    }

    /// The member whose newest connection this is.
    fn newest(&mut self, at: &Connection) -> Option<&mut Member> {
        self.members.get_mut(&at.participant).filter(|member| member.connection() == *at)
    }

    /// As `newest`, if the connection is not given up.
    fn seated(&mut self, at: &Connection) -> Option<&mut Member> {
        self.newest(at).filter(|member| member.outbox.is_some())
    }

    /// Takes a participant out and tells the others. Its connection's outbox.
    fn remove(&mut self, id: ParticipantId, reason: LeftReason) -> Option<crate::server::Outbox> {
        let member = self.members.remove(&id)?;
        self.by_session.remove(&member.session);
        self.by_lineage.remove(&member.lineage);
        self.by_identity.remove(&member.participant.identity);
        self.state_bytes -= member.state_bytes();
        self.shared.close_session();
        let left = pb::ParticipantLeft { id: id.0, reason: left_reason(reason).into() };
        self.broadcast(id, &self.shared.encode(pb::deliver::Event::ParticipantLeft(left)));
        member.outbox
    }

    /// To everybody but one.
    fn broadcast(&mut self, but: ParticipantId, body: &Bytes) {
        let mut kept = 0;
        for (id, member) in &mut self.members {
            if *id != but {
                match member.push(body.clone(), false, &self.shared.limits) {
                    Pushed::Kept => kept += 1,
                    Pushed::Slow => self.detached.push(slow(member, &self.shared)),
                    Pushed::Lost => {}
                }
            }
        }
        self.shared.deliveries.fetch_add(kept, Ordering::Relaxed);
    }

    /// To one.
    fn deliver(&mut self, to: ParticipantId, body: Bytes, rejection: bool) {
        let Some(member) = self.members.get_mut(&to) else { return };
        match member.push(body, rejection, &self.shared.limits) {
            Pushed::Kept => _ = self.shared.deliveries.fetch_add(1, Ordering::Relaxed),
            Pushed::Slow => self.detached.push(slow(member, &self.shared)),
            Pushed::Lost => {}
        }
    }

    /// Everybody, encoded.
    fn snapshot(&self) -> Bytes {
        /// `Snapshot.participants`, by the schema.
        const PARTICIPANTS: u32 = 1;
        let mut bytes = BytesMut::with_capacity(self.state_bytes);
        for member in self.members.values() {
            prost::encoding::message::encode(PARTICIPANTS, &member.participant, &mut bytes);
        }
        bytes.freeze()
    }
}

impl Admission<Connection> {
    /// The same, with a seat that finds its room again.
    pub(super) fn seated(self, room: &Arc<Mutex<Room>>) -> Admission<MemorySeat> {
        let Self { seat, session, participant, log, head, generation, lineage_known, client_seq_seen, .. } = self;
        Admission {
            seat: MemorySeat { room: Arc::clone(room), connection: seat },
            session,
            participant,
            log,
            head,
            generation,
            lineage_known,
            client_seq_seen,
            rejections: self.rejections,
            replay: self.replay,
            snapshot: self.snapshot,
            fenced: self.fenced,
        }
    }
}

fn admission(member: &Member, lineage_known: bool) -> Admission<Connection> {
    Admission {
        seat: member.connection(),
        session: member.session,
        participant: member.id(),
        log: member.log.id,
        head: member.log.head(),
        generation: member.generation,
        lineage_known,
        client_seq_seen: member.client_seq,
        rejections: member.rejections.iter().map(|(_, rejection)| rejection.clone()).collect(),
        replay: Vec::new(),
        snapshot: None,
        fenced: None,
    }
}

fn slow(member: &Member, shared: &Shared) -> Connection {
    shared.slow_consumers.fetch_add(1, Ordering::Relaxed);
    member.connection()
}

fn left_reason(reason: LeftReason) -> pb::LeftReason {
    match reason {
        LeftReason::Left => pb::LeftReason::Left,
        LeftReason::TimedOut => pb::LeftReason::TimedOut,
        LeftReason::Replaced => pb::LeftReason::Replaced,
        LeftReason::Removed => pb::LeftReason::Removed,
        LeftReason::Migrated => pb::LeftReason::Migrated,
        LeftReason::Unknown => pb::LeftReason::Unspecified,
    }
}

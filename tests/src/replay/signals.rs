//! Signals of a fleet, drawn from a seed.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends where something it needs is missing")]

use std::io::Write as _;

use bindery_schema::operator::HealthThresholds;
use bindery_schema::value::OperatorId;
use fastrand::Rng;
use jiff::Timestamp;

/// When the first connector speaks, in milliseconds since 1970.
const BEGIN: i64 = 1_800_000_000_000;

/// An operator.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Its id.
    pub id: OperatorId,
    /// When its state changes.
    pub thresholds: HealthThresholds,
    /// Whether it is in the configuration; a connector may speak of one that is not.
    pub is_known: bool,
}

/// State of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bind {
    /// It stands.
    Bound,
    /// It is being set up.
    Binding,
    /// There is none.
    Unbound,
}

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It ends too early.
    Torn,
    /// It is about another operator than its subject names.
    OfAnother,
    /// A count is negative.
    Negative,
    /// Its connector has no name.
    NoConnector,
    /// Its connector's name is longer than any may be.
    LongConnector,
}

/// A message as it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// When, in milliseconds since 1970.
    pub heard: i64,
    /// The operator's place.
    pub operator: usize,
    /// Which of its connectors speaks.
    pub connector: u8,
    /// When it measured, by its own clock.
    pub at: i64,
    /// Its session.
    pub bind: Bind,
    /// Messages.
    pub submitted: u32,
    /// Of those.
    pub failed: u32,
    /// Milliseconds.
    pub p95_millis: u32,
    /// What is wrong with it.
    pub fault: Option<Fault>,
}

/// Operators and all that is said of them, in the order in which it arrives.
#[derive(Debug)]
pub struct Traffic {
    /// Ordered by id.
    pub operators: Vec<Operator>,
    /// Ordered by arrival.
    pub deliveries: Vec<Delivery>,
}

/// How a connector fares for a while.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Good,
    Slow,
    VerySlow,
    Failing,
    Broken,
    Binding,
    Unbound,
    Mixed,
    Silent,
}

impl Traffic {
    /// So many signals of so many operators with one to four connectors each. The same seed draws the same.
    pub fn draw(seed: u64, operators: usize, signals: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        let operators: Vec<_> = (0..operators).map(|place| operator(&mut rng, place)).collect();
        let mut speakers = Vec::new();
        for (place, _) in operators.iter().enumerate() {
            speakers.extend((0..rng.u8(1..=4)).map(|connector| (place, connector)));
        }
        let each = signals.div_ceil(speakers.len());
        let mut deliveries = Vec::with_capacity(each * speakers.len());
        for (place, connector) in speakers {
            let silence = i64::from(operators[place].thresholds.silence_seconds) * 1_000;
            speak(&mut rng, (place, connector), silence, each, &mut deliveries);
        }
        // Stable: what arrives in the same millisecond keeps its order.
        deliveries.sort_by_key(|delivery| delivery.heard);
        deliveries.truncate(signals);
        Self { operators, deliveries }
    }
}

fn operator(rng: &mut Rng, place: usize) -> Operator {
    let (degraded, unhealthy) = (f64::from(rng.u8(1..=10)) / 100.0, f64::from(rng.u8(15..=40)) / 100.0);
    let thresholds = HealthThresholds {
        degraded_error_rate: degraded,
        unhealthy_error_rate: unhealthy,
        degraded_p95_millis: rng.u32(500..2_000),
        unhealthy_p95_millis: rng.u32(4_000..10_000),
        confirm: rng.u16(1..=5),
        recover: rng.u16(1..=6),
        silence_seconds: rng.u16(1..=60),
    };
    Operator { id: format!("op-{place:04}").parse().unwrap(), thresholds, is_known: rng.u8(..50) > 0 }
}

/// All signals of a connector, with when each arrives.
fn speak(rng: &mut Rng, who: (usize, u8), silence: i64, count: usize, deliveries: &mut Vec<Delivery>) {
    let period = rng.i64(300..3_000);
    // Clocks of machines differ, and a few are wrong altogether.
    let skew = if rng.u8(..20) == 0 { rng.i64(-3_600_000..90_000) } else { rng.i64(-2_000..2_000) };
    let mut now = BEGIN + rng.i64(0..5_000);
    let (mut mood, mut left) = (Mood::Good, rng.usize(3..30));
    let enough = deliveries.len() + count;
    while deliveries.len() < enough {
        if left == 0 {
            (mood, left) = (draw_mood(rng), rng.usize(1..30));
        }
        left -= 1;
        if matches!(mood, Mood::Silent) {
            // Around the silence time, to the millisecond too.
            now += if rng.u8(..4) == 0 { silence } else { silence * rng.i64(5..15) / 10 };
            left = 0;
            continue;
        }
        now += period / 2 + rng.i64(0..period);
        let mut next = signal(rng, mood, who);
        next.at = now + skew;
        next.fault = draw_fault(rng);
        next.heard = now + delay(rng);
        if rng.u8(..25) == 0 {
            let again = Delivery { heard: next.heard + delay(rng), ..next.clone() };
            deliveries.push(again);
        }
        deliveries.push(next);
    }
}

fn draw_mood(rng: &mut Rng) -> Mood {
    use Mood::{Binding, Broken, Failing, Good, Mixed, Silent, Slow, Unbound, VerySlow};
    rng.choice([Good, Good, Good, Slow, VerySlow, Failing, Broken, Binding, Unbound, Mixed, Silent]).unwrap_or(Good)
}

fn draw_fault(rng: &mut Rng) -> Option<Fault> {
    use Fault::{LongConnector, Negative, NoConnector, OfAnother, Torn};
    if rng.u16(..300) > 0 {
        return None;
    }
    rng.choice([Torn, OfAnother, Negative, NoConnector, LongConnector])
}

/// How long a message is under way: mostly nothing, sometimes long enough to be overtaken, seldom very long.
fn delay(rng: &mut Rng) -> i64 {
    match rng.u8(..50) {
        0 => rng.i64(0..30_000),
        1..=6 => rng.i64(0..4_000),
        _ => rng.i64(0..40),
    }
}

fn signal(rng: &mut Rng, mood: Mood, (operator, connector): (usize, u8)) -> Delivery {
    let submitted = rng.u32(0..200);
    let share = |rng: &mut Rng, least: u32, most: u32| submitted * rng.u32(least..=most) / 100;
    let any = [Mood::Good, Mood::Slow, Mood::VerySlow, Mood::Failing, Mood::Broken, Mood::Binding, Mood::Unbound];
    let mood = match mood {
        Mood::Mixed => rng.choice(any).unwrap_or(mood),
        // A run is broken now and then.
        _ if rng.u8(..12) == 0 => rng.choice(any).unwrap_or(mood),
        mood => mood,
    };
    let (mut bind, mut failed, mut p95_millis) = (Bind::Bound, share(rng, 0, 1), rng.u32(20..500));
    match mood {
        Mood::Slow => p95_millis = rng.u32(500..4_000),
        Mood::VerySlow => p95_millis = rng.u32(4_000..20_000),
        Mood::Failing => failed = share(rng, 1, 20),
        Mood::Broken => failed = share(rng, 15, 100),
        Mood::Binding => bind = Bind::Binding,
        Mood::Unbound => bind = Bind::Unbound,
        Mood::Good | Mood::Mixed | Mood::Silent => {}
    }
    Delivery { heard: 0, operator, connector, at: 0, bind, submitted, failed, p95_millis, fault: None }
}

impl Delivery {
    /// The connector's name.
    pub fn connector_id(&self) -> String {
        match self.fault {
            Some(Fault::NoConnector) => String::new(),
            Some(Fault::LongConnector) => "c".repeat(200),
            _ => format!("smpp-connector-{}", self.connector),
        }
    }

    /// The message's bytes.
    pub fn write(&self, operators: &[Operator], payload: &mut Vec<u8>) {
        payload.clear();
        let named = match self.fault {
            Some(Fault::OfAnother) => operators.len() - 1 - self.operator,
            _ => self.operator,
        };
        let bind = match self.bind {
            Bind::Bound => "BOUND",
            Bind::Binding => "BINDING",
            Bind::Unbound => "UNBOUND",
        };
        let sign = if self.fault == Some(Fault::Negative) { "-1" } else { "" };
        write!(
            payload,
            r#"{{"operatorId":"{}","connectorId":"{}","bindState":"{bind}","submitted":{},"failed":{sign}{},"throttled":{},"p95Millis":{},"inFlight":3,"at":"{}"}}"#,
            operators[named].id,
            self.connector_id(),
            self.submitted,
            self.failed,
            self.submitted - self.failed.min(self.submitted),
            self.p95_millis,
            Timestamp::from_millisecond(self.at).unwrap(),
        )
        .unwrap();
        if self.fault == Some(Fault::Torn) {
            payload.truncate(payload.len() / 2);
        }
    }
}

//! The drawn carriers and operators, before they are written.

use fastrand::Rng;

use super::Shape;
use super::agreements::{Agreement, Demand};
use super::numbering::{COUNTRIES, Country, Dealer};

/// Everything of a corpus but its text.
pub(super) struct Network {
    pub(super) carriers: Vec<Carrier>,
    pub(super) binds: Vec<Bind>,
}

/// A carrier.
pub(super) struct Carrier {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) country: &'static Country,
    /// Mobile network code, 1–99.
    pub(super) mnc: u16,
    /// Last three digits of the contacts' fictional telephone numbers.
    pub(super) extensions: [u16; 3],
    pub(super) availability: &'static str,
    pub(super) timezone: &'static str,
    /// Our and their address range.
    pub(super) networks: [String; 2],
    pub(super) agreement: Agreement,
}

/// One SMPP bind.
pub(super) struct Bind {
    pub(super) id: String,
    /// Index of its carrier.
    pub(super) carrier: usize,
    pub(super) name: String,
    pub(super) active: bool,
    pub(super) mode: Mode,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) system_id: String,
    pub(super) tls: bool,
    /// Most unanswered requests.
    pub(super) window: u32,
    pub(super) enquire_link_seconds: u32,
    /// Messages a second that the bind mode carries.
    pub(super) tps: Demand,
    /// Whether it has a `staging` environment.
    pub(super) staging: bool,
    pub(super) rules: Vec<Rule>,
}

/// `bindMode`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Transceiver,
    Transmitter,
    Receiver,
}

/// One routing rule.
pub(super) struct Rule {
    /// The number that the digits spell.
    pub(super) prefix: u64,
    pub(super) priority: u16,
    pub(super) weight: u16,
    /// Cost of a message in ten-thousandths of `currency`.
    pub(super) cost: u32,
    pub(super) currency: &'static str,
    pub(super) active: bool,
}

/// One of the values.
pub(super) fn pick<T: Copy>(rng: &mut Rng, values: &[T]) -> T {
    values[rng.usize(..values.len())]
}

/// True once in `times`.
fn once_in(rng: &mut Rng, times: u32) -> bool {
    rng.u32(..times) == 0
}

impl Network {
    /// Draws a network. Operators go round the carriers, so that each has its share.
    pub(super) fn draw(shape: &Shape) -> Self {
        let mut rng = Rng::with_seed(shape.seed);
        let mut binds: Vec<Bind> =
            (0..shape.operators).map(|index| bind(&mut rng, index, index % shape.mnos)).collect();
        let counts = rule_counts(&mut rng, &binds, shape.routes);
        let most = counts.iter().copied().max().unwrap_or(0);
        let mut dealer = Dealer::new(&mut rng, shape.routes, most);
        for (bind, count) in binds.iter_mut().zip(counts) {
            let dealt = dealer.deal(&mut rng, count);
            bind.rules = dealt.into_iter().map(|(prefix, priority)| rule(&mut rng, prefix, priority)).collect();
        }
        let mut demands = vec![Demand::default(); shape.mnos];
        for bind in binds.iter().filter(|bind| bind.active) {
            demands[bind.carrier] += bind.tps;
        }
        let carriers =
            demands.into_iter().enumerate().map(|(index, demand)| carrier(&mut rng, index, demand)).collect();
        Self { carriers, binds }
    }
}

fn carrier_id(index: usize) -> String {
    format!("mno-{index:05}")
}

fn bind(rng: &mut Rng, index: usize, carrier: usize) -> Bind {
    // The first operator can take routes whatever the seed says.
    let mode = match rng.u32(..20) {
        0 if index > 0 => Mode::Receiver,
        1 | 2 => Mode::Transmitter,
        _ => Mode::Transceiver,
    };
    let rate = pick(rng, &[10, 50, 100, 200]);
    let tps = match mode {
        Mode::Transceiver => Demand { outbound: rate, inbound: rate / 2 },
        Mode::Transmitter => Demand { outbound: rate, inbound: 0 },
        Mode::Receiver => Demand { outbound: 0, inbound: rate },
    };
    Bind {
        id: format!("op-{index:05}"),
        carrier,
        name: format!("Carrier {carrier} bind {index}"),
        active: !once_in(rng, 10),
        mode,
        // Carriers give many customers one host, and tell them apart by systemId.
        host: format!("smpp{}.{}.example", rng.u32(1..=4), carrier_id(carrier)),
        port: pick(rng, &[2775, 2776, 3550, 8775]),
        system_id: format!("sys{index:05}"),
        tls: rng.bool(),
        // Half a second of messages in flight; 10 is the common guideline for slow binds.
        window: (rate / 2).max(10),
        enquire_link_seconds: pick(rng, &[15, 30, 60]),
        tps,
        staging: once_in(rng, 10),
        rules: Vec::new(),
    }
}

/// Shares the routes out: none to receivers, which send nothing, and the rest by a product of dice,
/// which is skewed like real carriers' (most have few, some have ten times the mean).
fn rule_counts(rng: &mut Rng, binds: &[Bind], routes: usize) -> Vec<usize> {
    let weights: Vec<usize> = binds
        .iter()
        .map(|bind| match bind.mode {
            Mode::Receiver => 0,
            Mode::Transceiver | Mode::Transmitter => (0..5).map(|_| rng.usize(1..=4)).product(),
        })
        .collect();
    let total: usize = weights.iter().sum::<usize>().max(1);
    // Rounding the running sum, and not each share, makes the shares add up exactly.
    let mut running = 0;
    let mut given = 0;
    weights
        .iter()
        .map(|weight| {
            running += weight;
            let upto = routes * running / total;
            upto - std::mem::replace(&mut given, upto)
        })
        .collect()
}

fn rule(rng: &mut Rng, prefix: u64, priority: u16) -> Rule {
    Rule {
        prefix,
        priority,
        weight: pick(rng, &[10, 25, 50, 100]),
        cost: rng.u32(5..=1_800),
        currency: pick(rng, &["EUR", "GBP", "USD", "USD"]),
        active: !once_in(rng, 50),
    }
}

fn carrier(rng: &mut Rng, index: usize, demand: Demand) -> Carrier {
    let id = carrier_id(index);
    Carrier {
        agreement: Agreement::draw(rng, &id, demand),
        id,
        name: format!("Carrier {index}"),
        country: &COUNTRIES[rng.usize(..COUNTRIES.len())],
        mnc: rng.u16(1..=99),
        extensions: std::array::from_fn(|_| rng.u16(100..=199)),
        availability: pick(rng, &["99.5", "99.9", "99.95"]),
        timezone: pick(rng, &["UTC", "Europe/Berlin", "Asia/Kabul", "Africa/Nairobi", "America/Sao_Paulo"]),
        networks: std::array::from_fn(|_| {
            // The three documentation ranges of RFC 5737.
            let net = pick(rng, &["192.0.2", "198.51.100", "203.0.113"]);
            format!("{net}.{}/28", 16 * rng.u32(..16))
        }),
    }
}

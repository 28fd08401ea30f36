//! The routing table of a million prefixes beside `prefix-trie` and a map that is asked for every length.
//!
//! `cargo bench -p bindery-client`. Prefixes are drawn from 220 country codes and lie inside each other as often as real
//! ones (a tenth); numbers are drawn from all of them, so that each lookup finds the caches cold. `max alloc` of the
//! benches that build is what a table takes while it is made.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench says what fails by failing")]

use std::cell::Cell;
use std::collections::HashMap;
use std::io::Write as _;
use std::sync::LazyLock;

use bindery_client::table::{AllHealthy, Builder, Table};
use bindery_schema::value::{E164Prefix, OperatorId};
use bindery_schema::wire::api::RouteRow;
use bindery_schema::wire::routing::{Encoder, Head, PackedRoute};
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use prefix_trie::{Prefix, PrefixMap};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const PREFIXES: usize = 1_000_000;
const OPERATORS: usize = 10_000;
/// Numbers that are looked up: as many as there are prefixes, so that none is asked for twice in a row.
const NUMBERS: usize = 1 << 20;

fn main() {
    let table = &*TABLE;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let mebibytes = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    #[expect(clippy::print_stdout, reason = "what the bench shows")]
    {
        println!(
            "{} prefixes, {} rows, {} operators: {:.1} MiB on the heap, {:.1} MiB over the wire",
            table.prefix_count(),
            table.route_count(),
            table.operators().len(),
            mebibytes(table.heap_bytes()),
            mebibytes(PACKED.len()),
        );
    }
    divan::main();
}

/// A million prefixes; each tenth has a second operator behind the first.
static ROWS: LazyLock<Vec<RouteRow>> = LazyLock::new(|| {
    let mut random = fastrand::Rng::with_seed(7);
    let countries: Vec<String> = (0..220).map(|_| random.u32(20..1_000).to_string()).collect();
    let operators: Vec<OperatorId> = (0..OPERATORS).map(|n| format!("op-{n:05}").parse().unwrap()).collect();
    let mut prefixes: Vec<E164Prefix> = Vec::with_capacity(PREFIXES);
    let mut known = std::collections::HashSet::with_capacity(PREFIXES);
    while prefixes.len() < PREFIXES {
        let digits = if !prefixes.is_empty() && random.u8(..10) == 0 {
            format!("{}{}", prefixes[random.usize(..prefixes.len())].digits(), random.u32(..100))
        } else {
            let country = &countries[random.usize(..countries.len())];
            let more = random.usize(3..=6);
            format!("{country}{:0more$}", random.u64(..10_u64.pow(u32::try_from(more).unwrap())))
        };
        let prefix = E164Prefix::from_digits(&digits[..digits.len().min(12)]).unwrap();
        if known.insert(prefix) {
            prefixes.push(prefix);
        }
    }
    let row = |prefix, place: usize, priority| RouteRow {
        prefix,
        operator: operators[place % OPERATORS].clone(),
        priority,
        weight: 100,
        cost: None,
    };
    let mut rows = Vec::with_capacity(PREFIXES + PREFIXES / 10);
    for (at, prefix) in prefixes.into_iter().enumerate() {
        rows.push(row(prefix, at, 100));
        if at % 10 == 0 {
            rows.push(row(prefix, at + 1, 200));
        }
    }
    rows
});

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut builder = Builder::default();
    ROWS.iter().for_each(|row| builder.push(row));
    builder.finish(1, None).unwrap()
});

/// Numbers inside the prefixes, in no order.
static NUMBERS_TO_ASK: LazyLock<Vec<E164Prefix>> = LazyLock::new(|| {
    let mut random = fastrand::Rng::with_seed(8);
    let number = |random: &mut fastrand::Rng| {
        let digits = ROWS[random.usize(..ROWS.len())].prefix.digits();
        E164Prefix::from_digits(&format!("{digits}{:015}", random.u64(..10_u64.pow(15)))[..12]).unwrap()
    };
    (0..NUMBERS).map(|_| number(&mut random)).collect()
});

/// The table as the agent sends it.
static PACKED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let table = &*TABLE;
    let rows: Vec<RouteRow> = table.rows().collect();
    let head = Head {
        generation: 1,
        commit: None,
        operators: table.operators().to_vec(),
        costs: Vec::new(),
        groups: table.prefix_count(),
        routes: table.route_count(),
    };
    let mut out = Vec::new();
    let mut encoder = Encoder::begin(&head, &mut out).unwrap();
    for same in rows.chunk_by(|a, b| a.prefix == b.prefix) {
        let routes: Vec<PackedRoute> = same
            .iter()
            .map(|row| PackedRoute {
                priority: row.priority,
                operator: u32::try_from(head.operators.binary_search(&row.operator).unwrap()).unwrap(),
                weight: row.weight,
                cost: 0,
            })
            .collect();
        encoder.group(same[0].prefix, &routes, &mut out).unwrap();
    }
    encoder.end().unwrap();
    let mut packer = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    packer.include_checksum(true).unwrap();
    packer.write_all(&out).unwrap();
    packer.finish().unwrap()
});

/// What the other two keep of a prefix: the operator that comes first.
fn first_routes() -> impl Iterator<Item = (E164Prefix, u32)> {
    ROWS.iter().filter(|row| row.priority == 100).map(|row| row.prefix).zip(0..)
}

/// A prefix as `prefix-trie` takes it: four bits a digit.
#[derive(Debug, Clone, Copy)]
struct Bits(u64, u8);

impl Bits {
    fn of(prefix: E164Prefix) -> Self {
        Self(prefix.word() & !0xf, u8::try_from(4 * prefix.len()).unwrap())
    }
}

impl Prefix for Bits {
    type R = u64;

    fn repr(&self) -> u64 {
        self.0
    }

    fn prefix_len(&self) -> u8 {
        self.1
    }

    fn from_repr_len(repr: u64, len: u8) -> Self {
        Self(repr, len)
    }
}

/// Asks for numbers one after the other, each the next time another.
fn ask(bencher: Bencher<'_, '_>, mut lookup: impl FnMut(E164Prefix) -> bool) {
    let numbers = &**NUMBERS_TO_ASK;
    let next = Cell::new(0);
    bencher.counter(ItemsCount::new(1_000_usize)).bench_local(|| {
        let from = next.replace((next.get() + 1_000) % (NUMBERS - 1_000));
        numbers[from..from + 1_000].iter().filter(|number| lookup(black_box(**number))).count()
    });
}

#[divan::bench(sample_count = 2_000, sample_size = 1)]
fn lookup_table(bencher: Bencher<'_, '_>) {
    let table = &*TABLE;
    ask(bencher, |number| table.route(number, number.word(), &AllHealthy).route.is_some());
}

#[divan::bench(sample_count = 2_000, sample_size = 1)]
fn lookup_prefix_trie(bencher: Bencher<'_, '_>) {
    let trie: PrefixMap<Bits, u32> = first_routes().map(|(prefix, place)| (Bits::of(prefix), place)).collect();
    ask(bencher, |number| trie.get_lpm(&Bits::of(number)).is_some());
}

#[divan::bench(sample_count = 2_000, sample_size = 1)]
fn lookup_map_of_every_length(bencher: Bencher<'_, '_>) {
    let map: HashMap<E164Prefix, u32> = first_routes().collect();
    ask(bencher, |number| {
        std::iter::successors(Some(number), |inside| inside.shortened()).any(|inside| map.contains_key(&inside))
    });
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn build_table_from_the_wire(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(PREFIXES)).bench_local(|| Table::decode(&PACKED).unwrap());
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn build_prefix_trie(bencher: Bencher<'_, '_>) {
    let pairs: Vec<(Bits, u32)> = first_routes().map(|(prefix, place)| (Bits::of(prefix), place)).collect();
    let build = || pairs.iter().copied().collect::<PrefixMap<Bits, u32>>();
    bencher.counter(ItemsCount::new(PREFIXES)).bench_local(build);
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn build_map_of_every_length(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(PREFIXES)).bench_local(|| first_routes().collect::<HashMap<E164Prefix, u32>>());
}

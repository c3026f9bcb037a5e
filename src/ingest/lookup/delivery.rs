//! Where rows are delivered: to one consumer, in the order of their keys, whoever read them when.

use super::Node;
use crate::model::lookup::{self, Delivered, ROWS};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The end of every way that rows take. Workers meet here once a chunk, not once a row, and free rows outside.
#[derive(Debug, Default)]
pub struct Delivery(Mutex<Order>);

#[derive(Debug, Default)]
struct Order {
    /// Chunks that are here before their turn, by the number of their first request: as many as were handed out since the
    /// slowest, which whoever fills the queue bounds (`ingest::filling`).
    early: BTreeMap<u64, Vec<Node>>,
    delivered: Delivered,
    /// When the last row was delivered.
    last: Option<Instant>,
}

impl Delivery {
    /// Takes a chunk's rows; delivers them, and what waited for them, when it is their turn.
    pub fn take(&self, first: u64, nodes: Vec<Node>) {
        let mut through = Vec::new();
        {
            let mut order = self.order();
            order.early.insert(first, nodes);
            while let Some(nodes) = order.next() {
                nodes.iter().for_each(|node| order.deliver(node));
                through.push(nodes);
            }
            if !through.is_empty() {
                order.last = Some(Instant::now());
            }
        }
        drop(through);
    }

    /// What was delivered so far.
    pub fn delivered(&self) -> Delivered {
        self.order().delivered
    }

    /// When the last row was delivered.
    pub fn last(&self) -> Option<Instant> {
        self.order().last
    }

    /// Chunks that still wait for their turn.
    pub fn waiting(&self) -> usize {
        self.order().early.len()
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Order {
    fn next(&mut self) -> Option<Vec<Node>> {
        self.early.remove(&self.delivered.rows)
    }

    /// The consumer. A key that is none of the table's counts as a number that none of its rows has.
    fn deliver(&mut self, node: &Node) {
        let number = lookup::number(&node.key).unwrap_or(ROWS);
        self.delivered.add(number, node.tokens.len() as u64, || lookup::checksum(&node.contents()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::testing::node;
    use super::*;

    fn chunk(first: u64, count: u64) -> Vec<Node> {
        (first..first + count).map(node).collect()
    }

    #[test]
    fn chunks_that_come_out_of_order_are_put_in_order() {
        let (ordered, shuffled) = (Delivery::default(), Delivery::default());
        [0, 10, 20, 30].iter().for_each(|first| ordered.take(*first, chunk(*first, 10)));
        for first in [20, 10, 30] {
            shuffled.take(first, chunk(first, 10));
        }
        assert_eq!((shuffled.delivered().rows, shuffled.waiting(), shuffled.last()), (0, 3, None));
        shuffled.take(0, chunk(0, 10));
        assert_eq!((shuffled.delivered(), shuffled.waiting()), (ordered.delivered(), 0));
        assert_eq!(shuffled.delivered().rows, 40);
    }

    #[test]
    fn a_row_in_anothers_place_is_not_the_same_delivery() {
        let (one, other) = (Delivery::default(), Delivery::default());
        one.take(0, chunk(0, 2));
        other.take(0, chunk(0, 2).into_iter().rev().collect());
        assert_ne!(one.delivered(), other.delivered());
    }
}

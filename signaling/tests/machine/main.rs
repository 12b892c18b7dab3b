//! What the client machine promises, whatever happens to it: invariants over random histories, stories with snapshots, and the table
//! that says which test holds which promise. All in fake time, with no socket.

mod checks;
mod coverage;
mod extremes;
mod facts;
mod found;
mod histories;
mod model;
mod model_works;
mod ops;
mod stories;
mod survey;
mod table;
mod trace;
mod wire;
mod world;

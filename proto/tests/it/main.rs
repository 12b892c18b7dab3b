//! What the crate promises, a file a behaviour.

mod a_file_hashes_as_blake3;
mod a_lying_manifest_is_refused;
mod a_manifest_describes_its_item;
mod a_path_never_leaves_its_root;
mod any_bytes_are_a_value_or_an_error;
mod golden_vectors_stay;
mod messages_round_trip;
mod room_frames_stay;
mod samples;
mod strategies;

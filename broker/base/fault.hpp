#pragma once

namespace carehub {

/// Faults that are put in on purpose, so that the simulator can show that it finds them. Each belongs to one
/// source; only the simulator's fault programs compile that source with CAREHUB_FAULT set to a name.
enum class Fault {
  none,
  sends_before_sync,
  forgets_unsynced_publications,
  lets_the_next_overtake,
  loses_attempts_at_start,
  counts_unavailable,
  loses_unacked_on_reconnect,
  retries_without_offered,
  takes_anyones_ack,
  ignores_credit,
  offers_again_unmarked,
  shows_watches_unrecorded,
  replays_past_the_end,
  forgets_pauses_at_start,
  sends_what_was_skipped,
  starts_out_of_turn,
  blames_nobody,
  blames_in_an_outage,
  forgets_urgency,
  lets_retries_exceed_the_rate,
  forgets_what_a_receiver_asked,
  retries_before_its_time,
  lets_the_told_be_overtaken,
  sends_a_replay_unmarked,
  replays_into_a_pause,
  widens_a_replay,
  ends_a_replay_early,
  replays_as_fast_as_it_can,
  takes_an_answer_to_a_replay_for_the_live_one,
  tells_others_of_a_mend,
  leaves_a_mended_letter_dead,
  takes_a_mend_of_another_child,
  shows_what_is_erased,
  keeps_what_waits_of_the_erased,
  leaves_erasures_unfinished,
  says_complete_too_early,
  erases_what_was_taken_back,
  leaves_linked_records,
  takes_answers_of_the_connection_before,
  takes_an_answer_under_any_name,
  keeps_the_overdue_on_reconnect,
  keeps_credit_on_reconnect,
  ignores_answers_uncounted,
  shares_against_a_refusal,
  shows_what_a_link_protects,
  follows_no_name_later,
};

#ifdef CAREHUB_FAULT
constexpr Fault kFault = Fault::CAREHUB_FAULT;
#else
constexpr Fault kFault = Fault::none;
#endif

}  // namespace carehub

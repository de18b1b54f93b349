#pragma once

#include "broker/care/past_reader.hpp"

namespace carehub::care {

/// The page that answers a question of the kind `explain`: for the agency that it names, or each that holds
/// the role, a row of the kind `agency` (state, rule, legal basis, policy version), one of the kind `rule`
/// for each of the role's, and one of the kind `field` for each field that the event has. No row holds a
/// value of the event. Error `not_found`: the entry is no event, or its key is
/// gone. Agreements are judged by the time `at`. `invalid`: what is wrong with the other policy, or with the
/// agency.
Result<wire::PageT> explained(const PastReader& past, const wire::QueryT& query, Timestamp at);

}  // namespace carehub::care

#pragma once

#include <functional>
#include <memory>
#include <string>

#include "broker/app/commands.hpp"
#include "broker/client/hub_client.hpp"
#include "broker/server/config.hpp"

/// How a command reaches a running hub.
namespace carehub::app {

/// The client's options for this configuration: [connect] with its keys when there is one, else the local
/// socket. Errors `invalid` name the key file that is wrong.
Result<client::ClientOptions> client_options(const server::HubConfig& config, const std::string& client,
                                             const std::string& agency);

/// Connects and waits until the hub says welcome. `unavailable` says where it was looked for.
Result<std::unique_ptr<client::HubClient>> connect(const server::HubConfig& config, const std::string& client,
                                                   const std::string& agency);

/// The same for an endpoint that is no configuration's; `what` says whose hub does not answer there.
Result<std::unique_ptr<client::HubClient>> connect(client::ClientOptions options, const std::string& what);

/// Asks and waits for the one frame that answers. A frame with an error becomes that error; `unavailable`
/// after a minute leaves open what the hub has done.
Result<wire::PageT> ask(client::HubClient& hub, wire::QueryT query);
Result<wire::HandledT> ask(client::HubClient& hub, wire::HandleDeadLetterT question);
Result<wire::HandledT> ask(client::HubClient& hub, wire::HandleSubscriptionT question);
Result<wire::HandledT> ask(client::HubClient& hub, wire::CosignT question);
Result<wire::HandledT> ask(client::HubClient& hub, wire::ChangePolicyT question);
Result<wire::HandledT> ask(client::HubClient& hub, wire::MarkChildT question);
Result<wire::HandledT> ask(client::HubClient& hub, wire::BreakGlassT question);

/// Asks page after page and hands every row on, and what a page says beside its rows; the number of rows.
Result<std::size_t> each_row(client::HubClient& hub, wire::QueryT query,
                             const std::function<void(wire::RowT&)>& row,
                             const std::function<void(const std::string&)>& remark = {});

/// Loads hub.toml as far as a command that talks to a running hub needs it; faults are printed.
/// nullopt: leave with ExitCode::wrong_input.
std::optional<server::HubConfig> load_config(const std::filesystem::path& file, Surroundings& surroundings);

/// Identifier text from the option, its file, or standard input; white space around it is dropped. Empty when
/// the option was not given; `invalid` when it was and names nobody: a question about one child must not turn
/// into one about all.
Result<std::string> read_person(const PersonOption& option, Surroundings& surroundings);

/// The agency to act as: the given one, else the only one that has the role, else none (an operator).
/// `invalid` when several have it, naming them.
Result<std::string> acting_agency(const server::HubConfig& config, const std::string& role,
                                  const std::string& given);

Result<ledger::FilterT> filter_of(const FilterWords& words);

/// The kind of error as the wire says it.
ErrorKind error_kind(wire::ErrorKind kind);

}  // namespace carehub::app

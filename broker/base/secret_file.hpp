#pragma once

#include <filesystem>

namespace carehub {

/// Whether others than its owner may read or change a file that is there and holds a secret. One in
/// $CREDENTIALS_DIRECTORY is systemd's, which lets the service's user alone into that directory
/// (systemd.exec(5), Credentials) and names the user in the file's access list: its group's bit for reading
/// says no more than that there is such a list.
bool is_open_to_others(const std::filesystem::path& file);

}  // namespace carehub

// Writes and removes records in the directory of OpenVPN's user. Nothing here waits, allocates memory or reports an error:
// OpenVPN serves no client meanwhile, and a session without a record is no reason to disturb it.
#pragma once

#include "session.h"

// Writes a record under its temporary name and renames it, so nobody ever sees a part of it. A file with the same content
// is left as it is. Anything else than a regular file under that name is not changed.
void write_record(int directory, const struct record_names* names, const char* bytes, size_t length);

// Removes the record of a session: the first of its names that is a regular file.
void remove_record(int directory, const struct record_names* names);

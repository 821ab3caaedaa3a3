// SQLite as Swift can call it: the destructor that copies is a cast in C.
#ifndef SLUICE_CSQLITE_H
#define SLUICE_CSQLITE_H

#include <sqlite3.h>

/// Binds text that SQLite copies.
static inline int csqlite_bind_text(sqlite3_stmt *statement, int index, const char *text, int byte_count)
{
    return sqlite3_bind_text(statement, index, text, byte_count, SQLITE_TRANSIENT);
}

/// Binds bytes that SQLite copies.
static inline int csqlite_bind_blob(sqlite3_stmt *statement, int index, const void *bytes, int byte_count)
{
    return sqlite3_bind_blob(statement, index, bytes, byte_count, SQLITE_TRANSIENT);
}
#endif

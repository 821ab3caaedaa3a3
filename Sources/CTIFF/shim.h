// libtiff as Swift can call it: without variadic arguments, with messages collected, not printed,
// and with a file in memory to compress into. Needs libtiff 4.5 (TIFFOpenOptions).
#ifndef SLUICE_CTIFF_H
#define SLUICE_CTIFF_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

/// What libtiff said about one handle, errors only; later ones are cut off when it is full.
typedef struct {
    size_t count;
    char text[1000];
} ctiff_messages;

/// A file in memory that grows as it is written.
typedef struct {
    uint8_t *bytes;
    size_t count;
    size_t capacity;
    size_t position;
} ctiff_memory;

static int ctiff_collect(
    TIFF *tiff, void *user, const char *module, const char *format, va_list arguments)
{
    ctiff_messages *messages = (ctiff_messages *)user;
    (void)tiff;
    (void)module;
    size_t room = sizeof messages->text - messages->count;
    if (room > 8) {
        if (messages->count > 0) {
            memcpy(messages->text + messages->count, "; ", 2);
            messages->count += 2;
            room -= 2;
        }
        int length = vsnprintf(messages->text + messages->count, room, format, arguments);
        if (length > 0) messages->count += (size_t)length < room ? (size_t)length : room - 1;
    }
    return 1;
}

static int ctiff_ignore(
    TIFF *tiff, void *user, const char *module, const char *format, va_list arguments)
{
    (void)tiff;
    (void)user;
    (void)module;
    (void)format;
    (void)arguments;
    return 1;
}

static inline TIFFOpenOptions *ctiff_options(ctiff_messages *messages, int64_t maximum_allocation)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (options == NULL) return NULL;
    TIFFOpenOptionsSetErrorHandlerExtR(options, ctiff_collect, messages);
    TIFFOpenOptionsSetWarningHandlerExtR(options, ctiff_ignore, NULL);
    if (maximum_allocation > 0) {
        TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)maximum_allocation);
    }
    return options;
}

/// Opens a descriptor for reading, without mapping it and without looking at a directory; TIFFClose
/// closes the descriptor. NULL with the reason in `messages`.
static inline TIFF *ctiff_open_descriptor(
    int descriptor, const char *name, ctiff_messages *messages, int64_t maximum_allocation)
{
    TIFFOpenOptions *options = ctiff_options(messages, maximum_allocation);
    if (options == NULL) return NULL;
    TIFF *tiff = TIFFFdOpenExt(descriptor, name, "rhmc", options);
    TIFFOpenOptionsFree(options);
    return tiff;
}

static tmsize_t ctiff_memory_read(thandle_t handle, void *bytes, tmsize_t count)
{
    ctiff_memory *memory = (ctiff_memory *)handle;
    size_t left = memory->position < memory->count ? memory->count - memory->position : 0;
    size_t part = (size_t)count < left ? (size_t)count : left;
    memcpy(bytes, memory->bytes + memory->position, part);
    memory->position += part;
    return (tmsize_t)part;
}

static tmsize_t ctiff_memory_write(thandle_t handle, void *bytes, tmsize_t count)
{
    ctiff_memory *memory = (ctiff_memory *)handle;
    size_t end = memory->position + (size_t)count;
    if (end > memory->capacity) {
        size_t capacity = end + end / 2 + 65536;
        uint8_t *grown = (uint8_t *)realloc(memory->bytes, capacity);
        if (grown == NULL) return -1;
        memory->bytes = grown;
        memory->capacity = capacity;
    }
    if (memory->position > memory->count) {
        memset(memory->bytes + memory->count, 0, memory->position - memory->count);
    }
    memcpy(memory->bytes + memory->position, bytes, (size_t)count);
    memory->position = end;
    if (end > memory->count) memory->count = end;
    return count;
}

static toff_t ctiff_memory_seek(thandle_t handle, toff_t offset, int from)
{
    ctiff_memory *memory = (ctiff_memory *)handle;
    size_t base = from == SEEK_SET ? 0 : from == SEEK_CUR ? memory->position : memory->count;
    memory->position = base + (size_t)offset;
    return (toff_t)memory->position;
}

static int ctiff_memory_close(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t ctiff_memory_byte_count(thandle_t handle)
{
    return (toff_t)((ctiff_memory *)handle)->count;
}

/// Opens an empty file in memory for writing; its room is used again.
static inline TIFF *ctiff_open_memory(ctiff_memory *memory, int big, ctiff_messages *messages)
{
    TIFFOpenOptions *options = ctiff_options(messages, 0);
    if (options == NULL) return NULL;
    memory->count = 0;
    memory->position = 0;
    TIFF *tiff = TIFFClientOpenExt(
        "memory", big ? "w8l" : "wl", (thandle_t)memory, ctiff_memory_read, ctiff_memory_write,
        ctiff_memory_seek, ctiff_memory_close, ctiff_memory_byte_count, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    return tiff;
}

/// Frees the room of a file in memory.
static inline void ctiff_memory_free(ctiff_memory *memory)
{
    free(memory->bytes);
    memory->bytes = NULL;
    memory->capacity = 0;
}

/// Sets a field of one whole number (SHORT, LONG, or a setting of a codec).
static inline int ctiff_set(TIFF *tiff, uint32_t tag, uint32_t value)
{
    return TIFFSetField(tiff, tag, value);
}

/// Rows of a strip of the selected directory; 0 where there are none.
static inline int ctiff_rows_per_strip(TIFF *tiff, uint32_t *rows)
{
    return TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, rows);
}

/// Width and height of a tile of the selected directory; 0 where it has none.
static inline int ctiff_tile_shape(TIFF *tiff, uint32_t *width, uint32_t *height)
{
    return TIFFGetField(tiff, TIFFTAG_TILEWIDTH, width)
        && TIFFGetField(tiff, TIFFTAG_TILELENGTH, height);
}
#endif

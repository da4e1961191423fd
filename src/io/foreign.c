#define _GNU_SOURCE
#include "io/foreign.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convoy/formats.h"
#include "io/file.h"

/* ---- The kinds ---- */

struct row {
    int at; /* where its magic bytes stand; none: a text */
    const char *magic;
    int size;
    const char *endings; /* "|.npz|": of names, before others that begin alike; NULL: any */
    struct cvy_foreign kind;
    const char *before, *behind; /* what is to be done, on both sides of the file's name; of pictures: say_picture */
};

#define PICTURE(at, magic, endings, title)                                                                             \
    { at, magic, sizeof(magic) - 1, endings, {"a " title " picture", title, false}, "", "" }
#define TYPE(at, magic, endings, name, command, does)                                                                  \
    { at, magic, sizeof(magic) - 1, endings, {name, NULL, false}, command, does }
#define TEXT(endings, name, command, does)                                                                             \
    { 0, "", 0, endings, {name, NULL, true}, command, does }
#define PYTHON(code) "where Python has h5py, python3 -c \"import sys, h5py, numpy; " code "\" new.h5"
#define ADD(reads)   PYTHON("h5py.File(sys.argv[1], 'a')[sys.argv[2]] = numpy." reads) " x"
#define ADDS         "makes new.h5 of inputs; the same with y in the place of x adds the targets of another file"
#define ALL          PYTHON("h5py.File(sys.argv[1], 'w').update(numpy.load(sys.argv[2]))")
#define UNPACKS      "unpacks it"
#define IDX          "convoy data pack --format idx IMAGES LABELS OUT.h5 makes a data set of two such"
#define LINES        "configs/FORMATS.md, Data set, has the lines for it"
#define PYTHONS      "Python writes its arrays to HDF5: " LINES
#define HTML         "it may have come in the place of a download: look at it"

/* clang-format off */
static const struct row rows[] = {
    PICTURE(0, "\211PNG\r\n\032\n", NULL, "PNG"),
    PICTURE(0, "\377\330\377", NULL, "JPEG"),
    PICTURE(0, "GIF8", NULL, "GIF"),
    PICTURE(0, "II*\0", NULL, "TIFF"),
    PICTURE(0, "MM\0*", NULL, "TIFF"),
    PICTURE(8, "WEBP", NULL, "WebP"),
    PICTURE(4, "ftyphei", NULL, "HEIC"),
    PICTURE(4, "ftypavif", NULL, "AVIF"),
    PICTURE(0, "\0\0\0\014jP  ", NULL, "JPEG 2000"),
    PICTURE(0, "BM", "|.bmp|.dib|", "BMP"),
    PICTURE(0, "P5", "|.pgm|.pnm|", "PGM"),
    PICTURE(0, "P6", "|.ppm|.pnm|", "PPM"),
    TYPE(0, "\223NUMPY", NULL, "a NumPy array", ADD("load(sys.argv[3])"), ADDS),
    TYPE(0, "PK\003\004", "|.npz|", "an archive of NumPy arrays", ALL,
         "makes new.h5 of them; --x and --y say which are the inputs and the targets"),
    TYPE(0, "PK\003\004", "|.pt|.pth|", "a file of PyTorch's", "", PYTHONS),
    TYPE(0, "PK\003\004", NULL, "a ZIP archive", "unzip", UNPACKS),
    TYPE(0, "\037\213", "|.tgz|.tar.gz|", "a packed archive", "tar -xzf", UNPACKS),
    TYPE(0, "\037\213", "|-ubyte.gz|.idx.gz|", "a packed IDX file", "", IDX),
    TYPE(0, "\037\213", NULL, "a gzip file", "gunzip -k", UNPACKS),
    TYPE(0, "BZh", NULL, "a bzip2 file", "bunzip2 -k", UNPACKS),
    TYPE(0, "\3757zXZ", NULL, "an xz file", "unxz -k", UNPACKS),
    TYPE(0, "(\265/\375", NULL, "a zstd file", "unzstd", UNPACKS),
    TYPE(257, "ustar", NULL, "a tar archive", "tar -xf", UNPACKS),
    TYPE(0, "\0\0\010", NULL, "an IDX file", "", IDX),
    TYPE(0, "MATLAB 5.0", NULL, "a file of MATLAB's", "", "there, save(…, '-v7.3') writes HDF5; in Octave, save -hdf5"),
    TYPE(0, "CDF", NULL, "a NetCDF file of the classic format", "nccopy -k nc4", "new.h5 makes HDF5 of it"),
    TYPE(0, "\200", "|.pkl|.pickle|", "a pickle of Python's", "", PYTHONS),
    TYPE(0, "PAR1", NULL, "a Parquet table", "", PYTHONS),
    TYPE(0, "version https://git-lfs", NULL, "a pointer of Git LFS", "", "git lfs pull puts the file in its place"),
    TYPE(0, "<!DOCTYPE", NULL, "an HTML page", "", HTML),
    TYPE(0, "<html", NULL, "an HTML page", "", HTML),
    TEXT("|.csv|", "a table of text", ADD("loadtxt(sys.argv[3], delimiter=',')"), ADDS),
    TEXT(NULL, "a text", "", "a data set is HDF5 with arrays of inputs and targets: " LINES),
};
/* clang-format on */

/* ---- Which a file is ---- */

enum { START = 512 };

static bool ends_so(const char *path, const char *endings) {
    const char *name = cvy_path_name(path);
    for (const char *p = endings; p && p[0] == '|' && p[1]; p += 1 + strcspn(p + 1, "|")) {
        const size_t n = strcspn(p + 1, "|"), length = strlen(name);
        if (length > n && strncasecmp(name + length - n, p + 1, n) == 0) return true;
    }
    return endings == NULL;
}

static bool is_text(const unsigned char *start, size_t size) {
    size_t i = 0;
    while (i < size && (isprint(start[i]) || isspace(start[i]) || start[i] >= 0x80)) i++;
    return size > 0 && i == size && start[0] < 0x80;
}

static bool is_row(const struct row *r, const char *path, const unsigned char *start, size_t size) {
    const size_t end = (size_t)(r->at + r->size);
    const bool begins =
        r->size ? end <= size && memcmp(start + r->at, r->magic, (size_t)r->size) == 0 : is_text(start, size);
    return begins && ends_so(path, r->endings);
}

static const struct row *row_of(const char *path) {
    unsigned char start[START];
    if (!cvy_file_exists(path)) return NULL; /* what a pipe gives is there once */
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    const size_t size = fread(start, 1, sizeof start, file);
    fclose(file);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (is_row(&rows[i], path, start, size)) return &rows[i];
    return NULL;
}

const struct cvy_foreign *cvy_foreign_of(const char *path) {
    const struct row *row = row_of(path);
    return row ? &row->kind : NULL;
}

#define TITLE(name, title) title,
bool cvy_foreign_is_unread(const struct cvy_foreign *kind) {
    static const char *const read[] = {CVY_PICTURE_FORMATS(TITLE, )};
    bool is = kind && kind->picture;
    for (size_t i = 0; is && i < sizeof read / sizeof *read; i++) is = strcmp(kind->picture, read[i]) != 0;
    return is;
}

/* ---- What to do ---- */

#define AS_DATA_SET                                                                                                    \
    "pictures are for convoy predict; to train or evaluate on them, write them as uint8 [n][h][w][c], and their "      \
    "classes, into an HDF5 file: " LINES

void cvy_foreign_say_convert(const char *files, struct cvy_buf *out) {
    cvy_buf_printf(out,
                   "where Python has Pillow, python3 -c \"import sys; from PIL import Image; [Image.open(f).save(f + "
                   "'.png') for f in "
                   "sys.argv[1:]]\"%s makes PNG of it",
                   files);
}

static void say_picture(const char *path, bool as_picture, struct cvy_buf *out) {
    struct cvy_buf word = {0};
    cvy_buf_shell_word(&word, path);
    if (as_picture)
        cvy_foreign_say_convert(cvy_buf_text(&word), out);
    else
        cvy_buf_printf(out, AS_DATA_SET);
    cvy_buf_destroy(&word);
}

void cvy_foreign_say(const char *path, bool as_picture, struct cvy_buf *out) {
    const struct row *r = row_of(path);
    if (r == NULL) return;
    cvy_buf_printf(out, ", but %s; %s", r->kind.name, r->before);
    if (r->before[0]) cvy_buf_shell_word(out, path);
    cvy_buf_printf(out, "%s%s", r->before[0] ? " " : "", r->behind);
    if (r->kind.picture) say_picture(path, as_picture, out);
}

/* ---- Folders ---- */

enum { LOOKED_AT = 100 }; /* entries of a folder */

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

/* The first picture in it by name, or in a folder in it; none where there is an HDF5 file, which is meant rather. */
static bool find_picture(const char *folder, bool deeper, char out[CVY_PATH_MAX]) {
    struct dirent **entries;
    char path[CVY_PATH_MAX];
    bool found = false, hdf5 = false;
    const int count = scandir(folder, &entries, visible, alphasort);
    for (int i = 0; i < count; i++) {
        if (!hdf5 && i < LOOKED_AT && cvy_path_join(folder, entries[i]->d_name, path) == CVY_OK) {
            const struct cvy_foreign *kind = found ? NULL : cvy_foreign_of(path);
            hdf5 = cvy_file_is_hdf5(path);
            if (kind && kind->picture) found = snprintf(out, CVY_PATH_MAX, "%s", path) > 0;
            if (!found && deeper && cvy_folder_exists(path)) found = find_picture(path, false, out);
        }
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    return found && !hdf5;
}

void cvy_foreign_say_folder(const char *folder, struct cvy_buf *out) {
    char first[CVY_PATH_MAX];
    if (find_picture(folder, true, first))
        cvy_buf_printf(out, "is a folder of pictures, such as %s; " AS_DATA_SET, first);
}

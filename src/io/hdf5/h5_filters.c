/* Filters of chunks that this HDF5 library cannot undo, by the names that people know. */
#include <stdio.h>
#include <string.h>

#include "io/hdf5/h5.h"

static const struct {
    H5Z_filter_t id;
    const char *name;
} known[] = {
    {H5Z_FILTER_DEFLATE, "gzip"},
    {H5Z_FILTER_SZIP, "szip"},
    {305, "LZO"},
    {307, "bzip2"},
    {32000, "LZF"},
    {32001, "Blosc"},
    {32004, "LZ4"},
    {32008, "bitshuffle"},
    {32013, "ZFP"},
    {32015, "Zstandard"},
    {32017, "SZ"},
    {32018, "FCIDECOMP"},
    {32019, "JPEG"},
    {32026, "Blosc2"},
    {32028, "SPERR"},
};

static const char *name_of(H5Z_filter_t id, const char *stored) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].id == id) return known[i].name;
    return stored[0] ? stored : "an unknown filter";
}

bool cvy_h5_missing_filter(hid_t array, char out[160], bool *needed) {
    hid_t properties = H5Dget_create_plist(array);
    const int count = properties < 0 ? 0 : H5Pget_nfilters(properties);
    bool missing = false;
    for (int i = 0; i < count && !missing; i++) {
        unsigned flags = 0, info = 0;
        size_t values = 0;
        char stored[64] = "";
        H5Z_filter_t id = H5Pget_filter2(properties, (unsigned)i, &flags, &values, NULL, sizeof stored, stored, &info);
        stored[sizeof stored - 1] = '\0';
        missing = id >= 0 && H5Zfilter_avail(id) <= 0;
        if (!missing) continue;
        *needed = (flags & H5Z_FLAG_OPTIONAL) == 0;
        snprintf(out, 160, "%s (filter %d)", name_of(id, stored), (int)id);
    }
    cvy_h5_drop(&properties);
    return missing;
}

cvy_status cvy_h5_fail_by_filter(const char *path, const char *name, const char *filter) {
    const bool lzf = strncmp(filter, "LZF", 3) == 0;
    return CVY_FAIL(CVY_ERR_DATA,
                    "%s: %s is compressed with %s, which the HDF5 library here cannot undo; write it again with gzip "
                    "where it can be read (%s), or name the folder of the filter's plugin in HDF5_PLUGIN_PATH",
                    path, name, filter,
                    lzf ? "Python's h5py reads it: create_dataset(…, compression='gzip')"
                        : "h5repack -f GZIP=4 OLD.h5 NEW.h5");
}

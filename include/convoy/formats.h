/* The formats of files that are read, one list each: what reads them, messages and help are all made from it. Each of
 * the list goes to X, with SEP between two of them: the text between words, or nothing. */
#ifndef CONVOY_FORMATS_H
#define CONVOY_FORMATS_H

/* Pictures, recognised by their first bytes: name in the code, name for people. */
#define CVY_PICTURE_FORMATS(X, SEP)                                                                                    \
    X(png, "PNG")                                                                                                      \
    SEP X(jpeg, "JPEG")

/* What data sets are packed from: name, what the inputs are in short, the first one, what follows it. */
#define CVY_PACK_FORMATS(X, SEP)                                                                                       \
    X(idx, "IMAGES LABELS, plain or gzip", "the images", "their labels, and the data set to write")                    \
    SEP X(hdf5, "one FILE", "the file", "that alone")

#endif

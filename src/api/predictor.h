/* Private to predict.c and inputs.c: what a predictor holds. */
#ifndef CVY_API_PREDICTOR_H
#define CVY_API_PREDICTOR_H

#include "convoy/model.h"
#include "train/trained.h"

struct cvy_predictor {
    struct cvy_context *ctx;
    struct cvy_trained model;
    float *x; /* [leaf][h][w][c], normalised */
    char room[16];
    unsigned char background[3]; /* behind transparent pixels of pictures */
};

/* Room for a leaf of inputs, again after the model was made to take others. */
cvy_status cvy_predictor_make_room(struct cvy_predictor *predictor);

#endif

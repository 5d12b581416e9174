"""Operating points: score thresholds with their precision, recall, share handed to a person, and cost. numpy
and scipy.

Three cases share the arithmetic. One class: score is its probability, positive means that the row has that
class; rows from `high` on are called that class, rows below `low` aren't, rows between go to a person. Any
class: score is the confidence, positive means that the prediction is right; rows from `high` on are
predicted, all others go to a person, so `low` is 0. Spans: a row is a predicted span, score is its
confidence, positive means that it is right; or a true span that was missed, which is positive and UNSCORED.

A threshold chosen for a precision on some rows seldom reaches it on others, since the choice overfits: with
calibrated models 3 to 5 in ten do. So a threshold is *promised* where these rows show that others like them
reach the target, and else *estimated*.
"""

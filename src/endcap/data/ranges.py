"""What numbers of a config may be; `config.check` says which one is outside."""

from typing import Annotated

from annotated_types import Ge, Gt, Interval

Count = Annotated[int, Ge(1)]
CountOrNone = Annotated[int, Ge(0)]  # 0 stands for none, or for all
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Share = Annotated[float, Interval(ge=0, le=1)]
Chance = Annotated[float, Interval(ge=0, lt=1)]  # of dropping something; 1 would drop everything
Portion = Annotated[float, Interval(gt=0, le=1)]
